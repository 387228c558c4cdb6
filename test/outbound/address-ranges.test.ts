import { BlockList } from "node:net";
import { describe, expect, test } from "vitest";
import { judgeAddress } from "../../src/outbound/address-ranges.ts";
import type { PrivateTargets } from "../../src/outbound/address-ranges.ts";

const ALL: readonly PrivateTargets[] = ["none", "loopback", "private"];

/** Both ends of each range and what lies just outside. */
const PUBLIC = [
  ["1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"],
  ["168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0"],
  ["191.255.255.255", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"],
  ["198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "8.8.8.8"],
  ["2000::", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2001:ffff::1", "2003::", "2606:4700:4700::1111"],
  ["2620:4f:7fff:ffff::", "2620:4f:8001::", "3ffe:ffff::", "3fff:1000::"],
  ["::ffff:8.8.8.8", "::ffff:808:808", "0:0:0:0:0:ffff:8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b::808:808"],
].flat();

const LOOPBACK = ["127.0.0.0", "127.0.0.1", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"].concat([
  "::ffff:7f00:1",
  "::FFFF:7F00:1",
]);

const PRIVATE = [
  ["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
  ["100.64.0.0", "100.127.255.255", "::ffff:10.0.0.1", "::ffff:c0a8:1", "fc00::", "fdff:ffff::1"],
].flat();

const NEVER = [
  ["0.0.0.0", "0.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255", "168.63.129.16"],
  ["192.0.0.0", "192.0.0.192", "192.0.2.1", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1"],
  ["224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "100.100.100.200"],
  ["::", "fe80::", "febf:ffff::1", "fec0::1", "ff02::1", "fe80::1%eth0", "::1%lo", "2001:db8::1%1"],
  ["fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "fd00:100::100:200"],
  ["2001::", "2001:1ff:ffff::", "2001:db8::1", "2002::", "2002:7f00:1::", "3fff::", "3fff:fff:ffff::"],
  ["2620:4f:8000::", "2620:4f:8000:ffff::", "1fff:ffff::", "4000::", "5f00::1", "100::1", "::2", "::8.8.8.8"],
  ["::ffff:0.0.0.0", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:100.100.100.200", "::ffff:0:8.8.8.8"],
  ["64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::", "64:ff9b::1"],
  ["64:ff9b:1::1", "64:ff9b:1:ffff:ffff:ffff:8.8.8.8", "64:ff9b:2::1", "64:ff9b:0:1::8.8.8.8"],
].flat();

const NOT_ADDRESSES = [
  "",
  "example.com",
  "localhost",
  "127.1",
  "0x7f000001",
  "2130706433",
  "010.0.0.1",
  "1.2.3.4\n",
].concat(["[::1]", "::ffff:1.2.3", "1.2.3.4:80"]);

const NO_ADDRESSES = new BlockList();

describe("which addresses deliveries may go to", () => {
  test.each(PUBLIC)("%s is public and always allowed", (address) => {
    expect(ALL.map((allow) => judgeAddress(address, allow, NO_ADDRESSES))).toEqual([null, null, null]);
  });

  test.each(LOOPBACK)("%s is loopback: refused by default, allowed by `loopback` and by `private`", (address) => {
    const reason = `points at ${address}, which is not a public address`;
    expect(ALL.map((allow) => judgeAddress(address, allow, NO_ADDRESSES))).toEqual([reason, null, null]);
  });

  test.each(PRIVATE)("%s is private: allowed by `private` only", (address) => {
    const reason = `points at ${address}, which is not a public address`;
    expect(ALL.map((allow) => judgeAddress(address, allow, NO_ADDRESSES))).toEqual([reason, reason, null]);
  });

  test.each(NEVER)("%s is refused whatever the setting", (address) => {
    const reason = `points at ${address}, which is not a public address`;
    expect(ALL.map((allow) => judgeAddress(address, allow, NO_ADDRESSES))).toEqual([reason, reason, reason]);
  });

  test.each(NOT_ADDRESSES)("%j is not an address, and is refused", (text) => {
    expect(ALL.every((allow) => judgeAddress(text, allow, NO_ADDRESSES) !== null)).toBe(true);
  });
});

test.each(["93.184.216.34", "::ffff:93.184.216.34", "2606:2800:220:1::1946", "2606:2800:220:1:0:0:0:1946"])(
  "%s as a public address of this machine counts as loopback",
  (address) => {
    const own = new BlockList();
    own.addAddress("93.184.216.34", "ipv4");
    own.addAddress("2606:2800:220:1::1946", "ipv6");
    const reason = `points at ${address}, which is not a public address`;
    expect(ALL.map((allow) => judgeAddress(address, allow, own))).toEqual([reason, null, null]);
    expect(judgeAddress("2606:2800:220:1::1947", "none", own)).toBeNull();
  },
);

test("64:ff9b::5db8:d822, which holds a public address of this machine, is refused like that address", () => {
  const own = new BlockList();
  own.addAddress("93.184.216.34", "ipv4");
  expect(judgeAddress("64:ff9b::5db8:d822", "none", own)).not.toBeNull();
});
