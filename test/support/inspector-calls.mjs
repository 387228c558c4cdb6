// The Inspector's command line, asked many times in one process, since its start costs far more than a call. Each line of stdin is an
// array of arguments; what the command prints is followed by a line that is empty but for a NUL. As in the Inspector's own launcher, one
// that fails ends the process with its exit code.
import { createInterface } from "node:readline";

const { runCli, handleError } = await import(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  try {
    await runCli([...process.argv.slice(0, 2), ...JSON.parse(line)]);
  } catch (error) {
    await handleError(error);
  }
  process.stdout.write("\0\n");
}
