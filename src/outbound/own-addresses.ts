import { BlockList } from "node:net";
import { networkInterfaces } from "node:os";

/** Interfaces come and go while the server runs. Each reading asks the system for all of them. */
const READING_AGE_MS_MAX = 1000;

type Interfaces = ReturnType<typeof networkInterfaces>;

/** The addresses of the network interfaces of this machine, read again after a second. */
export function createOwnAddresses(
  read: () => Interfaces = networkInterfaces,
  now: () => number = () => performance.now(),
): () => BlockList {
  let readAt = -Infinity;
  let own = new BlockList();
  return () => {
    if (now() - readAt < READING_AGE_MS_MAX) return own;
    readAt = now();
    own = addressesOf(read());
    return own;
  };
}

function addressesOf(interfaces: Interfaces): BlockList {
  const list = new BlockList();
  for (const { address, family } of Object.values(interfaces).flatMap((entries) => entries ?? []))
    // An address with a zone is link-local, which is always refused.
    if (!address.includes("%")) list.addAddress(address, family === "IPv4" ? "ipv4" : "ipv6");
  return list;
}
