/**
 * Preloaded: the code of HELD ("inside": all that is loaded once the port is open; "endpoint": MCP's) is there only when the process gets
 * SIGUSR2, and which of Node's modules are loaded by then is told; with CODE_IS_BROKEN it then cannot be loaded.
 */
import { registerHooks } from "node:module";

const held = String.raw`
  const loaded = () => process.moduleLoadList.flatMap((entry) => /^NativeModule ([a-z0-9_/]+)$/.exec(entry)?.[1] ?? []);
  await new Promise((go) => {
    process.once("SIGUSR2", go);
    process.stdout.write("Held\n");
  });
  process.stdout.write("Let go, with " + loaded().join(" ") + "\n");
`;
const end = process.env.CODE_IS_BROKEN ? 'throw new Error("The code is broken");' : "";
// In the sources and in the bundle.
const pattern = new RegExp(`/${process.env.HELD}(\\.ts|-\\w+\\.js)$`);

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!pattern.test(url)) return loaded;
    const text = Buffer.from(loaded.source ?? "").toString();
    // Statements may stand before imports, which are run first anyway.
    return { ...loaded, source: `{ ${held} } ${end} ${text}` };
  },
});
