/** An MCP server over stdio that misbehaves on request: a real process, so that what it does to us is what others would do. */
import { existsSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const write = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const answer = (id, result) => write({ jsonrpc: "2.0", id, result });
const text = (value) => ({ content: [{ type: "text", text: value }] });

const repeatable = { readOnlyHint: true, idempotentHint: true };
const tools = [
  tool("echo", repeatable, { text: { type: "string" } }),
  tool("hang", repeatable),
  tool("hang_unsafe", {}),
  tool("hang_once", repeatable, { marker: { type: "string" } }),
  tool("crash", {}),
  tool("crash_once", repeatable, { marker: { type: "string" } }),
  tool("flood", repeatable),
  tool("huge", repeatable, { bytes: { type: "number" } }),
  tool("garbage", repeatable),
  tool("wrong", repeatable),
  tool("fail", repeatable),
  tool("leak", repeatable),
  tool("cancelled", repeatable),
];
const cancelled = [];

function tool(name, annotations, properties = {}) {
  return { name, description: `It will ${name}.`, inputSchema: { type: "object", properties }, annotations };
}

/** A file of the test's: it is there from the second call on. */
function isThere(marker) {
  const wasThere = existsSync(marker);
  writeFileSync(marker, "");
  return wasThere;
}

const calls = {
  echo: (id, given) => answer(id, text(given.text ?? "")),
  hang: () => {},
  hang_unsafe: () => {},
  hang_once(id, { marker }) {
    if (isThere(marker)) answer(id, text("done at last"));
    else process.stderr.write("hang_once has begun\n");
  },
  crash: () => process.exit(3),
  crash_once(id, { marker }) {
    if (isThere(marker)) answer(id, text("done at last"));
    else process.exit(3);
  },
  flood(id, _given, progressToken) {
    for (let progress = 1; progress <= 20_000; progress++)
      write({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress, total: 20_000 } });
    answer(id, text("flooded"));
  },
  huge: (id, { bytes }) => answer(id, text("x".repeat(bytes))),
  garbage(id) {
    process.stdout.write('this is no JSON\n{"neither": "is this"\n[1,2,3]\n');
    answer(id, text("after the garbage"));
  },
  wrong: (id) => answer(id, { content: "no list at all" }),
  fail: (id) => answer(id, { ...text(`The token was ${process.env.API_TOKEN}.`), isError: true }),
  leak(id) {
    process.stderr.write(`leaked ${process.env.API_TOKEN}\n${"long ".repeat(1000)}\n`);
    for (let line = 0; line < 1000; line++) process.stderr.write(`line ${line}\n`);
    const env = { API_TOKEN: process.env.API_TOKEN, names: Object.keys(process.env).toSorted() };
    answer(id, { content: [], structuredContent: env });
  },
  cancelled: (id) => answer(id, { content: [], structuredContent: { cancelled } }),
};

const asked = {
  initialize: (id, { protocolVersion }) =>
    answer(id, { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "misbehaving", version: "1" } }),
  "tools/list": (id) => answer(id, { tools }),
  "tools/call": (id, { name, arguments: given, _meta }) => calls[name](id, given, _meta?.progressToken),
  "notifications/cancelled": (_id, { requestId }) => cancelled.push(requestId),
};

if (process.env.SILENT === undefined) {
  createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, method, params = {} } = JSON.parse(line);
    asked[method]?.(id, params);
  });
} else {
  process.stdin.resume().on("end", () => process.exit(0));
}
