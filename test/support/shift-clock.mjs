// Preloaded into a server under test: each SIGUSR2 moves its clock by CLOCK_JUMP_MS, as when somebody sets the system's time.
// Timers go on as before, as they do in a real jump.
const jumpMs = Number(process.env.CLOCK_JUMP_MS);
const now = Date.now;
let shiftMs = 0;

Date.now = () => now() + shiftMs;
process.on("SIGUSR2", () => {
  shiftMs += jumpMs;
  process.stdout.write(`clock moved by ${shiftMs} ms\n`);
});
