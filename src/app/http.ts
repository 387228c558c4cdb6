import { createHttpApp } from "../http/app.ts";
import { listen } from "../http/server.ts";
import { createMcp } from "../mcp/endpoint.ts";
import type { Mcp } from "../mcp/endpoint.ts";
import { authenticateByToken } from "../mcp/request-guard.ts";
import { createPrincipalOf } from "../service/principals.ts";
import type { PrincipalOf } from "../service/principals.ts";
import type { AppContext } from "./app.ts";
import { version } from "./package-root.ts";
import type { Services } from "./services.ts";
import { STOP_GRACE_MS } from "./limits.ts";

/** The HTTP server. */
export interface ListeningServer {
  /** How clients reach the server, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly toolNames: readonly string[];
}

/** Serves MCP and all other routes over HTTP. Resolves when it listens; MCP answers from the first request on. */
export async function startHttp(context: AppContext, services: Services): Promise<ListeningServer> {
  const { config, lifecycle } = context;
  const principalOf = createPrincipalOf(config.accessTokens, config.principalWithoutTokens);
  // With PORT=0 the port, and so the URL, is known only once the server listens. No request arrives before that.
  let url = "";
  const urlOf = (): string => url;
  const mcp = createMcpEndpoint(context, services, principalOf, urlOf);
  const handle = createHttpHandler(context, services, principalOf, { mcp, urlOf });
  const server = await listen(handle, config.host, config.port);
  url = config.publicUrl ?? `http://localhost:${server.port}`;
  lifecycle.add("http", async () => {
    mcp.endStreams();
    services.leasePolls.close();
    await server.stop(STOP_GRACE_MS);
    await mcp.close();
  });
  return { url, port: server.port, toolNames: mcp.toolNames };
}

function createMcpEndpoint(
  { config, clock, emit }: AppContext,
  services: Services,
  principalOf: PrincipalOf,
  urlOf: () => string,
): Mcp {
  const { allowedHosts, allowedOrigins, toolSet, testFixtures, runTaskWaitMs, retentionMs, events } = config;
  return createMcp({
    ...services,
    authenticate: authenticateByToken(principalOf),
    serverInfo: { name: "mcp-callbacks", version },
    allowedHosts,
    allowedOrigins,
    toolSet,
    testFixtures,
    runTaskWaitMs,
    // Retention begins at the end of a task, so it lasts at least as long from its start.
    taskTtlMs: retentionMs === null ? null : Math.max(1, Math.floor(retentionMs)),
    errorCodes: events.errorCodes,
    unknownUnsubscribe: events.unknownUnsubscribe,
    completionUrlOf: (token) => `${urlOf()}/complete/${token}`,
    clock,
    emit,
  });
}

function createHttpHandler(
  { config, clock, emit }: AppContext,
  services: Services,
  principalOf: PrincipalOf,
  { mcp, urlOf }: { readonly mcp: Mcp; readonly urlOf: () => string },
) {
  const { accessTokens, workerTokens, allowedHosts, allowedOrigins, serverName, signingKeys } = config;
  return createHttpApp({
    ...services,
    mcp: mcp.handle,
    principalOf,
    workerOf: workerTokens.length === 0 ? null : createPrincipalOf(workerTokens, "anonymous"),
    allowedHosts,
    allowedOrigins,
    serverName,
    needsToken: accessTokens.length > 0,
    publicKeys: signingKeys.map(({ publicKey }) => publicKey),
    openApi: () => ({ title: "mcp-callbacks", version, url: urlOf() }),
    clock,
    emit,
  });
}
