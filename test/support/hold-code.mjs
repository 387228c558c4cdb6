/**
 * Preloaded: the code of HELD ("inside": all that is loaded once the port is open; "handler": MCP's) is there only when the process gets
 * SIGUSR2; with CODE_IS_BROKEN it then cannot be loaded.
 */
import { registerHooks } from "node:module";

const held = 'await new Promise((go) => { process.once("SIGUSR2", go); process.stdout.write("Held\\n"); });';
const end = process.env.CODE_IS_BROKEN ? 'throw new Error("The code is broken");' : "";
// In the sources and in the bundle.
const pattern = new RegExp(`/${process.env.HELD}(\\.ts|-\\w+\\.js)$`);

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!pattern.test(url)) return loaded;
    const text = Buffer.from(loaded.source ?? "").toString();
    return { ...loaded, source: `${held} ${end} ${text}` };
  },
});
