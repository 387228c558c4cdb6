// Preloaded into a server under test (`node --import`): the process kills itself, as kill -9 would, at one exact step.
// KILL_AT_LINE=<text>: as it is about to print a line with that text. Announcements are synchronous, so that is the step itself.
// KILL_AT_RESPONSE=<status>: when the status line of a receiver's answer is in, before anything is recorded.
// KILL_AT_STATEMENT=<text>: before an SQL statement with that text is carried out, be it in the middle of a transaction.
// KILL_AT_COUNT=<n>: at the n-th time, from 1.
import { subscribe } from "node:diagnostics_channel";
import Database from "better-sqlite3";

const { KILL_AT_LINE, KILL_AT_RESPONSE, KILL_AT_STATEMENT, KILL_AT_COUNT = "1" } = process.env;

let left = Number(KILL_AT_COUNT);

function reached() {
  left--;
  if (left > 0) return;
  process.kill(process.pid, "SIGKILL");
  // The signal may need a moment to arrive; nothing more may happen until then.
  for (;;);
}

if (KILL_AT_LINE !== undefined) {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (chunk, ...rest) => {
    if (String(chunk).includes(KILL_AT_LINE)) reached();
    return write(chunk, ...rest);
  };
}

if (KILL_AT_RESPONSE !== undefined) {
  subscribe("undici:request:headers", ({ response }) => {
    if (String(response.statusCode) === KILL_AT_RESPONSE) reached();
  });
}

if (KILL_AT_STATEMENT !== undefined) {
  const memory = new Database(":memory:");
  const statements = Object.getPrototypeOf(memory.prepare("select 1"));
  memory.close();
  for (const name of ["run", "get", "all"]) {
    const original = statements[name];
    statements[name] = function (...args) {
      if (this.source.includes(KILL_AT_STATEMENT)) reached();
      return original.apply(this, args);
    };
  }
}
