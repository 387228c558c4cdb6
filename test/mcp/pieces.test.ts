/** The answer does not depend on the pieces in which a request arrives. */
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { serveMcp } from "./serve-mcp.ts";
import { legacyRequest } from "./wire.ts";

const BODY = String(legacyRequest("tools/call", { name: "list_task_types", arguments: {} }).body);
const TURNS_BETWEEN = 5;

function head(framing: string, connection: "keep-alive" | "close"): string {
  const accept = "Accept: application/json, text/event-stream";
  const type = "Content-Type: application/json";
  return `POST /mcp HTTP/1.1\r\nHost: localhost\r\n${accept}\r\n${type}\r\n${framing}\r\nConnection: ${connection}\r\n\r\n`;
}

const sized = (connection: "keep-alive" | "close") => head(`Content-Length: ${BODY.length}`, connection);
const chunked = head("Transfer-Encoding: chunked", "close");
const chunk = (part: string) => `${part.length.toString(16)}\r\n${part}\r\n`;
const LAST_CHUNK = chunk("");

async function answersTo(pieces: readonly string[]): Promise<readonly string[]> {
  const { port } = await serveMcp();
  const socket = connect(port, "127.0.0.1").setNoDelay();
  const answers = text(socket);
  for (const piece of pieces) {
    socket.write(piece);
    for (let turn = 0; turn < TURNS_BETWEEN; turn++) await nextTurn();
  }
  return (await answers).match(/HTTP\/1\.1 200 OK|"structuredContent"/g) ?? [];
}

const ANSWER = ["HTTP/1.1 200 OK", '"structuredContent"'];

it.each<[string, readonly string[]]>([
  ["all in one", [sized("close") + BODY]],
  ["the body after the headers", [sized("close"), BODY]],
  ["the body in two", [sized("close") + BODY.slice(0, 10), BODY.slice(10)]],
  ["the body byte by byte", [sized("close"), ...BODY.split("")]],
  ["a chunk", [chunked + chunk(BODY) + LAST_CHUNK]],
  ["a chunk that ends later", [chunked + chunk(BODY), LAST_CHUNK]],
  ["several chunks in one", [chunked + chunk(BODY.slice(0, 10)) + chunk(BODY.slice(10)) + LAST_CHUNK]],
])("%s", async (_, pieces) => {
  expect(await answersTo(pieces)).toEqual(ANSWER);
});

it.each<[string, readonly string[]]>([
  ["two requests in one", [sized("keep-alive") + BODY + sized("close") + BODY]],
  ["the second after the first", [sized("keep-alive") + BODY, sized("close") + BODY]],
  ["the second's headers with the first", [sized("keep-alive") + BODY + sized("close"), BODY]],
])("%s", async (_, pieces) => {
  expect(await answersTo(pieces)).toEqual([...ANSWER, ...ANSWER]);
});

it("a body shorter than its Content-Length gets no answer, and is no internal error", async () => {
  const { port, emitted } = await serveMcp();
  const socket = connect(port, "127.0.0.1");
  socket.end(sized("close") + BODY.slice(1));
  // Node's own answer to an incomplete request.
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n|^$/);
  expect(emitted).toEqual([]);
});
