/** A name server on loopback, for UDP and TCP on one port, which answers as a test says. */
import { createSocket } from "node:dgram";
import type { RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export type DnsAnswer =
  | { readonly addresses: readonly string[]; readonly ttl?: number }
  /** 2: SERVFAIL. 3: NXDOMAIN. 5: REFUSED. 0: no records of this type. */
  | { readonly code: number }
  | "silence";

export interface DnsQuestion {
  readonly name: string;
  readonly type: "A" | "AAAA";
  readonly transport: "udp" | "tcp";
}

export interface DnsServer {
  /** `address:port` */
  readonly address: string;
  /** In the order in which they came. */
  readonly questions: DnsQuestion[];
  close(): Promise<void>;
}

export type AnswerQuestion = (question: DnsQuestion) => DnsAnswer | Promise<DnsAnswer>;

const TYPES: Readonly<Record<number, "A" | "AAAA">> = { 1: "A", 28: "AAAA" };
/** Larger answers are truncated on UDP. */
const UDP_BYTES_MAX = 512;

export async function startDnsServer(answer: AnswerQuestion): Promise<DnsServer> {
  const questions: DnsQuestion[] = [];

  async function reply(message: Buffer, transport: "udp" | "tcp"): Promise<Buffer | null> {
    const { name, type, end } = readQuestion(message);
    const question = { name, type, transport };
    questions.push(question);
    const found = await answer(question);
    return found === "silence" ? null : encode(message.subarray(0, end), question, found);
  }

  async function replyOnTcp(data: Buffer, socket: Socket): Promise<void> {
    const message = await reply(data.subarray(2), "tcp");
    if (message !== null) socket.write(withLength(message));
  }

  async function replyOnUdp(data: Buffer, { port, address }: RemoteInfo): Promise<void> {
    const message = await reply(data, "udp");
    if (message === null) return;
    udp.send(message.length > UDP_BYTES_MAX ? truncated(message, data) : message, port, address);
  }

  const tcp = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => void replyOnTcp(data, socket));
  }).listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const { port } = tcp.address() as AddressInfo;

  const udp = createSocket("udp4");
  udp.on("message", (data: Buffer, from: RemoteInfo) => void replyOnUdp(data, from));
  let isOpen = true;
  udp.bind(port, "127.0.0.1");
  await once(udp, "listening");
  return {
    address: `127.0.0.1:${port}`,
    questions,
    async close() {
      if (!isOpen) return;
      isOpen = false;
      udp.close();
      tcp.close();
      await once(tcp, "close");
    },
  };
}

/** On TCP a message follows its length. */
function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function readQuestion(message: Buffer) {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = TYPES[message.readUInt16BE(at + 1)];
  if (type === undefined) throw new Error("The test's name server knows A and AAAA only");
  return { name: labels.join("."), type, end: at + 5 };
}

/** RFC 1035, section 4: the question again, then a record for each address of the family that was asked for. */
function encode(question: Buffer, { type }: DnsQuestion, answer: Exclude<DnsAnswer, "silence">): Buffer {
  const isOfType = (address: string): boolean => address.includes(":") === (type === "AAAA");
  const addresses = "addresses" in answer ? answer.addresses.filter(isOfType) : [];
  const ttl = "addresses" in answer ? (answer.ttl ?? 60) : 0;
  const head = Buffer.from(question);
  head.writeUInt16BE(0x8180 | ("code" in answer ? answer.code : 0), 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, ...addresses.map((address) => record(address, type, ttl))]);
}

function record(address: string, type: "A" | "AAAA", ttl: number): Buffer {
  const data = type === "A" ? Buffer.from(address.split(".").map(Number)) : ipv6Bytes(address);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type === "A" ? 1 : 28, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv6Bytes(address: string): Buffer {
  const [left = "", right = ""] = address.split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const missing = 8 - groups(left).length - groups(right).length;
  const all = [...groups(left), ...Array.from({ length: missing }, () => "0"), ...groups(right)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

function truncated(message: Buffer, query: Buffer): Buffer {
  const head = Buffer.from(message.subarray(0, readQuestion(query).end));
  head.writeUInt16BE(message.readUInt16BE(2) | 0x0200, 2);
  head.writeUInt16BE(0, 6);
  return head;
}
