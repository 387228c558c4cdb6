/** Which addresses a delivery may connect to. The pure part of the address guard: no DNS and no sockets. */
import { BlockList, isIP } from "node:net";

/** What CALLBACK_ALLOW_PRIVATE allows besides public addresses; `private` includes `loopback`. */
export type PrivateTargets = "none" | "loopback" | "private";

type Range = readonly [network: string, prefixBits: number];

/** The IANA IPv4 special-purpose registry, and 168.63.129.16: the platform address of Azure, which only looks public. */
const IPV4_SPECIAL: readonly Range[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];
const IPV6_GLOBAL: readonly Range[] = [["2000::", 3]];
const IPV6_SPECIAL: readonly Range[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
  ["2620:4f:8000::", 48],
];

const LOOPBACK_IPV4: readonly Range[] = [["127.0.0.0", 8]];
const LOOPBACK_IPV6: readonly Range[] = [["::1", 128]];
const PRIVATE_IPV4: readonly Range[] = [
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
];
const PRIVATE_IPV6: readonly Range[] = [["fc00::", 7]];
/** Cloud metadata services inside the private ranges. They hand out credentials, so `private` does not allow them. */
const METADATA_IPV4: readonly Range[] = [["100.100.100.200", 32]]; // Alibaba
const METADATA_IPV6: readonly Range[] = [
  ["fd00:ec2::", 32], // AWS, with the pod identity agent
  ["fd20:ce::254", 128], // Google
  ["fd00:c1::a9fe:a9fe", 128], // Oracle
  ["fd00:42::42", 128], // Scaleway
  ["fd00:100::100:200", 128], // Alibaba
];

const special = listOf(IPV4_SPECIAL, IPV6_SPECIAL);
const globalIpv6 = listOf([], IPV6_GLOBAL);
const metadata = listOf(METADATA_IPV4, METADATA_IPV6);
const opened: Readonly<Record<PrivateTargets, BlockList>> = {
  none: listOf([], []),
  loopback: listOf(LOOPBACK_IPV4, LOOPBACK_IPV6),
  private: listOf([...LOOPBACK_IPV4, ...PRIVATE_IPV4], [...LOOPBACK_IPV6, ...PRIVATE_IPV6]),
};

/**
 * Null: a connection to `address` is allowed. Otherwise the reason, as half a sentence ("points at 10.0.0.1, which is not a public
 * address"). `address`: an IP literal without brackets; anything else is refused, also a zone id (fe80::1%eth0). `own`: the addresses of this
 * machine; the public ones among them count as loopback.
 */
export function judgeAddress(address: string, allow: PrivateTargets, own: BlockList): string | null {
  return isAllowed(address, allow, own) ? null : `points at ${address}, which is not a public address`;
}

function isAllowed(address: string, allow: PrivateTargets, own: BlockList): boolean {
  const family = isIP(address);
  // isIP accepts a zone id, which only addresses that are not public have.
  if (family === 0 || address.includes("%")) return false;
  return family === 4 ? isAllowedIpv4(address, allow, own) : isAllowedIpv6(address, allow, own);
}

/** IPv4 is public unless the registry lists it. */
function isAllowedIpv4(address: string, allow: PrivateTargets, own: BlockList): boolean {
  // Without the family BlockList accepts what it cannot parse.
  if (metadata.check(address, "ipv4")) return false;
  if (opened[allow].check(address, "ipv4")) return true;
  return !special.check(address, "ipv4") && (allow !== "none" || !own.check(address, "ipv4"));
}

/** IPv6 is refused unless it is global unicast, or holds an IPv4 address, which is then judged instead. */
function isAllowedIpv6(address: string, allow: PrivateTargets, own: BlockList): boolean {
  const groups = groupsOf(address);
  const prefix = groups.slice(0, 6).map((group) => group.toString(16));
  if (prefix.join(":") === "0:0:0:0:0:ffff") return isAllowedIpv4(ipv4In(groups), allow, own);
  // NAT64 must not carry addresses that are not global (RFC 6052, section 3.1), so no setting allows them here.
  if (prefix.join(":") === "64:ff9b:0:0:0:0") return isAllowedIpv4(ipv4In(groups), "none", own);
  if (metadata.check(address, "ipv6")) return false;
  if (opened[allow].check(address, "ipv6")) return true;
  if (!globalIpv6.check(address, "ipv6") || special.check(address, "ipv6")) return false;
  return allow !== "none" || !own.check(address, "ipv6");
}

/** The eight 16-bit numbers of an IPv6 address, however it is written. */
function groupsOf(address: string): readonly number[] {
  // The URL parser writes every form, also with dots, as groups of hex digits with at most one "::".
  const [left = [], right = []] = new URL(`http://[${address}]/`).hostname
    .slice(1, -1)
    .split("::")
    .map((part) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16))));
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function ipv4In(groups: readonly number[]): string {
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

function listOf(ipv4: readonly Range[], ipv6: readonly Range[]): BlockList {
  const list = new BlockList();
  // Never add ::ffff:0:0/96 here: BlockList compares mapped addresses with IPv4, so it would match all of IPv4.
  for (const [network, prefixBits] of ipv4) list.addSubnet(network, prefixBits, "ipv4");
  for (const [network, prefixBits] of ipv6) list.addSubnet(network, prefixBits, "ipv6");
  return list;
}
