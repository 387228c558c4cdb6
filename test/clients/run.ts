/** `npm run clients`: all rows, and none of them passed over. Installs nothing: that is a command of its own. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HOW_TO_INSTALL } from "./installed.ts";

if (!existsSync(new URL("node_modules", import.meta.url))) {
  console.error(`The clients are not installed. Run: ${HOW_TO_INSTALL}`);
  process.exit(2);
}
const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
const args = [vitest, "run", "test/clients", ...process.argv.slice(2)];
const env = { ...process.env, CLIENTS_REQUIRED: "1" };
process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit", env }).status ?? 1;
