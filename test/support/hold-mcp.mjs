/** Preloaded: MCP's code is there only when the process gets SIGUSR2; with MCP_CODE_IS_BROKEN it then cannot be loaded. */
import { registerHooks } from "node:module";

const held = 'await new Promise((go) => { process.once("SIGUSR2", go); process.stdout.write("Held\\n"); });';
const end = process.env.MCP_CODE_IS_BROKEN ? 'throw new Error("The code is broken");' : "";

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!/\/(mcp\/handler\.ts|handler-\w+\.js)$/.test(url)) return loaded;
    const text = Buffer.from(loaded.source ?? "").toString();
    return { ...loaded, source: `${held} ${end} ${text}` };
  },
});
