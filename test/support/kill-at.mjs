// Preloaded into a server under test (`node --import`): the process kills itself, as kill -9 would, at one exact step.
// KILL_AT_LINE=<text>: as it is about to print a line with that text. Announcements are synchronous, so that is the step itself.
// KILL_AT_RESPONSE=<status>: when the status line of a receiver's answer is in, before anything is recorded.
import { subscribe } from "node:diagnostics_channel";

const { KILL_AT_LINE, KILL_AT_RESPONSE } = process.env;

function killMyself() {
  process.kill(process.pid, "SIGKILL");
  // The signal may need a moment to arrive; nothing more may happen until then.
  for (;;);
}

if (KILL_AT_LINE !== undefined) {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (chunk, ...rest) => {
    if (String(chunk).includes(KILL_AT_LINE)) killMyself();
    return write(chunk, ...rest);
  };
}

if (KILL_AT_RESPONSE !== undefined) {
  subscribe("undici:request:headers", ({ response }) => {
    if (String(response.statusCode) === KILL_AT_RESPONSE) killMyself();
  });
}
