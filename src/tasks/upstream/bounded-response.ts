/** Bounds on what an HTTP upstream answers. */

const LF = 0x0a;
const CR = 0x0d;

/** A response whose message has at most so many bytes: the whole body, or each event of an event stream. Rejects a compressed one. */
export async function boundedResponse(response: Response, messageBytesMax: number): Promise<Response> {
  const { body, status, statusText, headers } = response;
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") {
    await body?.cancel();
    throw new Error(
      `It answered with Content-Encoding ${encoding.slice(0, 60)}, although the request asked for identity`,
    );
  }
  if (body === null) return response;
  const isEvents = headers.get("content-type")?.includes("text/event-stream") === true;
  const bytesOf = isEvents ? createEventCounter() : createBodyCounter();
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      if (bytesOf(chunk) <= messageBytesMax) controller.enqueue(chunk);
      else controller.error(new Error(`A message of the server has more than ${messageBytesMax} bytes`));
    },
  });
  return new Response(body.pipeThrough(counter), { status, statusText, headers });
}

type Count = (chunk: Uint8Array) => number;

function createBodyCounter(): Count {
  let bytes = 0;
  return (chunk) => (bytes += chunk.length);
}

/** The most bytes that one event has had by the end of the chunk. An empty line ends an event; a line ends with CR, LF or both. */
function createEventCounter(): Count {
  let eventBytes = 0;
  let lineBytes = 0;
  let last = 0;
  return (chunk) => {
    let most = 0;
    for (const byte of chunk) {
      eventBytes++;
      most = Math.max(most, eventBytes);
      if (byte !== LF && byte !== CR) lineBytes++;
      else if (byte === CR || last !== CR) {
        if (lineBytes === 0) eventBytes = 0;
        lineBytes = 0;
      }
      last = byte;
    }
    return most;
  };
}
