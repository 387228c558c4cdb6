import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Emit } from "../service/ports/telemetry.ts";

/** How many refused names of each header are logged: a hostile client could send millions. */
const LOGGED_NAMES_MAX = 50;
/** The longest name in DNS. */
const NAME_CHARS_MAX = 253;

/** Request headers that pages may send, in addition to the CORS-safelisted ones. Further headers that a preflight names are allowed too. */
const REQUEST_HEADERS =
  "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID, Lease-Token";
/** Response headers that pages may read, in addition to the CORS-safelisted ones. */
const RESPONSE_HEADERS = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After, Allow";
/** With DELETE, so that a page that ends its session gets the status 405 instead of a network error. */
const METHODS = "GET, POST, DELETE";
const PREFLIGHT_KEPT_S = 3600;

export interface OriginPolicyParts {
  /** Host names without port, IPv6 in brackets, that the Host header may have. */
  readonly allowedHosts: readonly string[];
  /** Host names in the same form that the Origin header may have. Only browsers send it. */
  readonly allowedOrigins: readonly string[];
  readonly emit: Emit;
}

export interface OriginPolicy {
  /** Protects against DNS rebinding. Returns null for an accepted host, otherwise a sentence for the caller. */
  refusedHost(host: string | undefined): string | null;
  /** The same for an origin. A request without an Origin header does not come from a web page, and is accepted. */
  refusedOrigin(origin: string | undefined): string | null;
  /** Lets a page of an accepted origin read the response (CORS). True: the request was a preflight, and is answered. */
  admitPage(req: IncomingMessage, res: ServerResponse): boolean;
}

/** Decides which Host and Origin headers are accepted. Emits request.refused once for each refused name, up to a limit. */
export function createOriginPolicy({ allowedHosts, allowedOrigins, emit }: OriginPolicyParts): OriginPolicy {
  const isHost = new Set(allowedHosts.map(withoutRoot));
  const isOrigin = new Set(allowedOrigins.map(withoutRoot));
  const logged = { Host: new Set<string>(), Origin: new Set<string>() };
  // Nearly all requests have the same Host header, and checking it means parsing a URL.
  let lastAccepted: string | undefined;

  function refuse(header: "Host" | "Origin", name: string | null, given: string): string {
    // It is not a host name, so no setting could accept it.
    if (name === null) return `Invalid ${header} header: ${given.slice(0, NAME_CHARS_MAX)}.`;
    const setting = header === "Host" ? "ALLOWED_HOSTS" : "ALLOWED_ORIGINS";
    const shown = name.slice(0, NAME_CHARS_MAX);
    const names = logged[header];
    if (names.size < LOGGED_NAMES_MAX && !names.has(shown)) {
      names.add(shown);
      emit({ kind: "request.refused", header, name: shown, setting, isLast: names.size === LOGGED_NAMES_MAX });
    }
    return `Invalid ${header}: ${shown}. The operator of this server can accept it with the setting ${setting}.`;
  }

  function isOriginAccepted(origin: string): boolean {
    const name = hostNameOf(origin);
    return name !== null && isOrigin.has(name);
  }

  return {
    refusedHost(host = "") {
      if (host === lastAccepted) return null;
      if (host === "") return "Missing Host header.";
      const name = hostNameOf(`http://${host}`);
      if (name === null || !isHost.has(name)) return refuse("Host", name, host);
      lastAccepted = host;
      return null;
    },
    refusedOrigin(origin = "") {
      if (origin === "" || isOriginAccepted(origin)) return null;
      return refuse("Origin", hostNameOf(origin), origin);
    },
    admitPage(req, res) {
      const { origin } = req.headers;
      // For caches: the response depends on the Origin header.
      res.setHeader("Vary", "Origin");
      if (origin === undefined || !isOriginAccepted(origin)) return false;
      res.setHeader("Access-Control-Allow-Origin", origin);
      res.setHeader("Access-Control-Expose-Headers", RESPONSE_HEADERS);
      if (req.method !== "OPTIONS" || req.headers["access-control-request-method"] === undefined) return false;
      res.writeHead(204, preflightHeaders(req.headers)).end();
      return true;
    },
  };
}

/** The server uses no cookies, so a page has no more access than its token gives it. */
function preflightHeaders(headers: IncomingHttpHeaders): Record<string, string | number> {
  const requested = headers["access-control-request-headers"] ?? "";
  // Tools may use their own headers (mcp-param-*), and users add further ones. `*` would not include Authorization.
  const names = requested.split(",").map((name) => name.trim());
  const granted = [REQUEST_HEADERS, ...names.filter((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name))].join(", ");
  return {
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": granted,
    "Access-Control-Max-Age": PREFLIGHT_KEPT_S,
    Vary: "Origin, Access-Control-Request-Headers",
  };
}

/** Null: the text has no host name, as the opaque origin `null`. */
function hostNameOf(url: string): string | null {
  return URL.canParse(url) ? withoutRoot(new URL(url).hostname) || null : null;
}

/** A dot at the end of a name stands for the DNS root; it is the same name. */
function withoutRoot(name: string): string {
  return name.replace(/\.$/, "");
}
