import { z } from "zod";
import type { OpenApiInfo } from "../openapi/document.ts";
import type { Operation } from "../openapi/operation.ts";

export interface FirstPageParts {
  /** Called for each request: the port may be unknown before. */
  readonly openApi: () => OpenApiInfo;
  /** Whether /mcp takes only requests with one of AUTH_TOKENS. */
  readonly needsToken: boolean;
}

/** The page loads no files and runs no scripts. */
const HEADERS = {
  "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-store",
};

const STYLE = `:root{color-scheme:light dark}body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow-x:auto;padding:.75rem;border:1px solid GrayText;border-radius:.4rem}`;

/** GET /: a page for people that says what the server is, where the endpoint is and what to do next. */
export function firstPageOperation({ openApi, needsToken }: FirstPageParts): Operation {
  return {
    method: "get",
    path: "/",
    id: "firstPage",
    summary: "A page for people: what this server is and how to connect.",
    responses: { 200: { description: "The page.", schema: z.string(), type: "text/html" } },
    handle(ctx) {
      ctx.set(HEADERS);
      ctx.status = 200;
      ctx.type = "html";
      ctx.body = pageOf(openApi(), needsToken);
    },
  };
}

function pageOf({ url, version }: OpenApiInfo, needsToken: boolean): string {
  const base = escaped(url);
  const token = needsToken
    ? "<p>It takes requests with one of its tokens: <code>Authorization: Bearer …</code></p>"
    : "";
  const header = needsToken ? ` --header "Authorization: Bearer …"` : "";
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>mcp-callbacks</title><style>${STYLE}</style></head>
<body>
<h1>mcp-callbacks ${escaped(version)}</h1>
<p>An MCP server that calls back: register a webhook URL for a task id, start the task, and get a signed HTTP POST when it ends.</p>
<h2>Connect</h2>
<p>The MCP endpoint is <code>${base}/mcp/</code> (Streamable HTTP). A browser cannot open it; an MCP client can:</p>
${token}
<pre>claude mcp add --transport http callbacks ${base}/mcp/${escaped(header)}
npx @modelcontextprotocol/inspector --server-url ${base}/mcp/ --transport http</pre>
<h2>Try it</h2>
<pre>npx mcp-callbacks call register_callback '{"task_id":"t1","client_id":"me","callback_url":"${base}/webhook/me"}' --server ${base}
npx mcp-callbacks call start_task_with_callbacks '{"task_id":"t1","client_id":"me"}' --server ${base}</pre>
<p>After about ten seconds the POST is in the <a href="/webhook/me">test inbox</a>.</p>
<h2>More</h2>
<ul>
<li><a href="/health">/health</a>: how the server is</li>
<li><a href="/openapi.json">/openapi.json</a>: everything beside MCP</li>
</ul>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
