import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv";
import type { Caller } from "./caller.ts";
import { principalOfCaller } from "./caller.ts";
import { METHOD_NOT_FOUND, RpcError } from "./errors.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import type { Tools } from "./tools.ts";

export interface EraNeeds {
  readonly tools: Tools;
  readonly serverInfo: { readonly name: string; readonly version: string };
}

/** Answers one message of a client that speaks 2025-11-25 or older. */
export type ServeLegacy = (request: Request, message: object, caller: Caller) => Promise<Response>;

/**
 * Without sessions: one Server and one transport per request, since v1's can be connected only once. They are cheap as long as they
 * share the validator.
 */
export function createLegacy({ tools, serverInfo }: EraNeeds): ServeLegacy {
  const jsonSchemaValidator = new AjvJsonSchemaValidator();

  function createServer(): Server {
    const options = { capabilities: { tools: {} }, instructions: INSTRUCTIONS, jsonSchemaValidator };
    const server = new TasklessServer(serverInfo, options);
    // Not setRequestHandler: that parses the request first and answers a malformed one with -32603 and zod's own words.
    server.fallbackRequestHandler = async ({ method, params }, { authInfo }) => {
      if (method === "tools/list") return { tools: tools.listings };
      if (method === "tools/call") return tools.call(principalOfCaller(authInfo), params);
      throw new RpcError(METHOD_NOT_FOUND, "Method not found");
    };
    return server;
  }

  return async (request, message, caller) => {
    const server = createServer();
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport);
    try {
      return await transport.handleRequest(request, { parsedBody: message, authInfo: caller });
    } finally {
      await server.close();
    }
  };
}

/** The SDK refuses a call that asks for an MCP task; 2025-11-25 wants it served as if it had not asked ("Tasks", capabilities). */
class TasklessServer extends Server {
  protected override assertTaskHandlerCapability(): void {}
}
