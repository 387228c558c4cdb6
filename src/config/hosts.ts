import { isIP } from "node:net";

export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}

/** The host name of a host, host:port, origin or URL; an IPv6 address in brackets. */
export function hostNameOf(text: string): string {
  const url = text.includes("://") ? text : `http://${isIPv6(text) ? `[${text}]` : text}`;
  return URL.canParse(url) ? new URL(url).hostname : text;
}

/** The first call of isIP costs milliseconds, since Node then compiles a large expression. A host name does not need it. */
function isIPv6(text: string): boolean {
  return /^[\da-f]*:.*:/i.test(text) && isIP(text) === 6;
}
