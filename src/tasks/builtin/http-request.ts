import { z } from "zod";
import type { AttemptError } from "../../domain/attempt.ts";
import { parseTargetUrl } from "../../domain/callback.ts";
import { DomainError } from "../../domain/errors.ts";
import type { Json } from "../../domain/json.ts";
import { problemSentence } from "../../domain/schema-problems.ts";
import type { HttpRequest, HttpClient } from "../../service/ports/http-client.ts";
import { PermanentError } from "../../service/ports/task-types.ts";
import type { TaskType } from "../../service/ports/task-types.ts";

const TIMEOUT_MS = 600_000;
const RETRIES = 3;
const RUNNING_MAX = 16;
const HEADERS_MAX = 50;
const HEADER_CHARS_MAX = 8192;
/** Headers that frame the message are set by this server: a client could make two requests of one with them. */
const RESERVED_HEADERS =
  /^(host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|proxy-.*|accept-encoding)$/;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
/** Idempotent methods: RFC 9110, section 9.2.2. */
const REPEATABLE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE"]);

const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/, "must be a valid header name")
  .refine((name) => !RESERVED_HEADERS.test(name.toLowerCase()), "must not name a header that this server sets");
const headerValue = z
  .string()
  .max(HEADER_CHARS_MAX, `must have at most ${HEADER_CHARS_MAX} characters`)
  .regex(/^[\t\x20-\x7e]*$/, "must be printable ASCII");

const input = z
  .strictObject({
    method: z.enum(METHODS, { error: `must be one of ${METHODS.join(", ")}` }).default("GET"),
    url: z.string({ error: "must be given, as a string" }).describe("http:// or https://, without user information."),
    headers: z
      .record(headerName, headerValue)
      .refine((headers) => Object.keys(headers).length <= HEADERS_MAX, `must have at most ${HEADERS_MAX} entries`)
      .default({})
      .describe("Stored with the task until it is removed."),
    body: z.json().optional().describe("Sent as JSON. Not with GET and HEAD."),
  })
  .refine(({ method, body }) => body === undefined || !/^(GET|HEAD)$/.test(method), {
    path: ["body"],
    message: "must be left out with GET and HEAD",
  });

const output = z.object({
  status: z.int(),
  headers: z.record(z.string(), z.string()).describe("Without cookies."),
  body: z.string().describe("The first 64 KiB, as text."),
  body_truncated: z.boolean(),
});

/** One HTTP request; a response with any status is a result. */
export function createHttpRequestTask({ client }: { readonly client: HttpClient }): TaskType {
  return {
    name: "http_request",
    title: "HTTP request",
    description:
      "Makes one HTTP request, however long its answer takes (at most ten minutes), and ends with status, headers and the beginning of the body. Redirects are not followed. GET, HEAD, PUT and DELETE are tried again when no answer comes, POST and PATCH never.",
    expectedMs: null,
    inputSchema: z.toJSONSchema(input, { io: "input" }),
    outputSchema: z.toJSONSchema(output),
    timeoutMs: TIMEOUT_MS,
    retries: RETRIES,
    concurrency: RUNNING_MAX,
    executor: "handler",
    parseInput(given) {
      const { body, ...rest } = parse(given);
      return body === undefined ? rest : { ...rest, body };
    },
    parseOutput: (returned) => output.parse(returned),
    async run(given, { principal, attempt, signal }) {
      const request = parse(given);
      const isRepeatable = REPEATABLE_METHODS.has(request.method);
      if (attempt > 1 && !isRepeatable) {
        throw new PermanentError(`Interrupted: the ${request.method} may have been done, so it is not made again.`);
      }
      const response = await client.request(httpRequestOf(request, principal), signal);
      if (typeof response === "string") throw failureOf(response, isRepeatable);
      const { status, headers, body, isBodyCut } = response;
      return { status, headers, body, body_truncated: isBodyCut };
    },
  };
}

type Input = z.output<typeof input>;

function parse(given: Json): Input {
  const parsed = input.safeParse(given ?? {});
  if (parsed.success) {
    parseTargetUrl("input.url", parsed.data.url);
    return parsed.data;
  }
  throw new DomainError("invalid", problemSentence(parsed.error.issues, { root: "input" }));
}

function httpRequestOf({ method, url, headers, body }: Input, principal: string): HttpRequest {
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  if (body === undefined) return { principal, method, url, headers: given, body: null };
  return {
    principal,
    method,
    url,
    headers: { "content-type": "application/json", ...given },
    body: JSON.stringify(body),
  };
}

/** Without the URL and the headers: they may hold tokens. */
function failureOf(error: AttemptError, isRepeatable: boolean): Error {
  if (error === "blocked") return new PermanentError("The URL points at an address that this server must not contact.");
  const failure = `No answer came: ${error}`;
  return isRepeatable ? new Error(`${failure}.`) : new PermanentError(`${failure}; the request may have been done.`);
}
