import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Emit } from "../service/ports/telemetry.ts";

/** Refused names that are logged, of each header: a hostile client could send millions. */
const LOGGED_NAMES_MAX = 50;
/** The longest name that DNS has. */
const NAME_CHARS_MAX = 253;

/** What pages may send beside what any page may. Others that a page asks for are granted too. */
const REQUEST_HEADERS =
  "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID, Lease-Token";
/** What pages may read beside what any page may. */
const RESPONSE_HEADERS = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After, Allow";
/** DELETE is granted so that a page that ends its session sees our 405, and not a network error. */
const METHODS = "GET, POST, DELETE";
const PREFLIGHT_KEPT_S = 3600;

export interface OriginPolicyNeeds {
  /** Host names without port, IPv6 in brackets, that the Host header may have. */
  readonly allowedHosts: readonly string[];
  /** Likewise for the Origin header, which only browsers send. */
  readonly allowedOrigins: readonly string[];
  readonly emit: Emit;
}

export interface OriginPolicy {
  /** A sentence for the caller, or null: the host is accepted. Against DNS rebinding. */
  refusedHost(host: string | undefined): string | null;
  /** Likewise; a request without an Origin comes from no page, and is accepted. */
  refusedOrigin(origin: string | undefined): string | null;
  /** Lets a page of an accepted origin read the answer (CORS). True: it was a preflight, which is answered. */
  admitPage(req: IncomingMessage, res: ServerResponse): boolean;
}

/** Which Host and Origin headers are accepted. Each name that is refused is announced once, up to a bound. */
export function createOriginPolicy({ allowedHosts, allowedOrigins, emit }: OriginPolicyNeeds): OriginPolicy {
  const isHost = new Set(allowedHosts.map(withoutRoot));
  const isOrigin = new Set(allowedOrigins.map(withoutRoot));
  const logged = { Host: new Set<string>(), Origin: new Set<string>() };
  // Nearly all requests name the same host, and judging it makes a URL of it.
  let lastAccepted: string | undefined;

  function refuse(header: "Host" | "Origin", name: string | null, given: string): string {
    // No setting could accept it.
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
      // For caches: whether the origin may read it is said in the answer.
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

/** No cookies are involved, so that a page can do no more than what its token, or the lack of tokens, allows. */
function preflightHeaders(headers: IncomingHttpHeaders): Record<string, string | number> {
  const asked = headers["access-control-request-headers"] ?? "";
  // Tools may want headers of their own (mcp-param-*), and users add others: `*` would not stand for Authorization.
  const named = asked.split(",").map((name) => name.trim());
  const granted = [REQUEST_HEADERS, ...named.filter((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name))].join(", ");
  return {
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": granted,
    "Access-Control-Max-Age": PREFLIGHT_KEPT_S,
    Vary: "Origin, Access-Control-Request-Headers",
  };
}

/** Null: there is none in it, as in the Origin of a page that has none of its own (`null`). */
function hostNameOf(url: string): string | null {
  return URL.canParse(url) ? withoutRoot(new URL(url).hostname) || null : null;
}

/** DNS may write the root of its tree as a dot at the end of a name, which is the same name. */
function withoutRoot(name: string): string {
  return name.replace(/\.$/, "");
}
