import type { Config } from "../config/config.ts";

/** What the URLs of the built-in test receiver begin with, as clients write them. */
export function testReceiverBases({ host, publicUrl }: Config, port: number): readonly string[] {
  const own = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  const origins = ["localhost", "127.0.0.1", "[::1]", own].map((name) => `http://${name}:${port}`);
  return [...origins, publicUrl ?? []]
    .flat()
    .filter((base) => URL.canParse(base))
    .map((base) => `${new URL(base).href.replace(/\/$/, "")}/webhook/`);
}
