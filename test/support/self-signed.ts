/** A self-signed certificate, made afresh: no key lies in the repository, and no openssl need be installed. */
import { generateKeyPairSync, sign } from "node:crypto";

export interface SelfSigned {
  /** PEM, PKCS #8. */
  readonly key: string;
  /** PEM; as the `ca` of a client it vouches for itself. */
  readonly cert: string;
}

const ECDSA_WITH_SHA256 = "2a8648ce3d040302";
const COMMON_NAME = "550403";
const SUBJECT_ALT_NAME = "551d11";

/** X.509 v3 (RFC 5280) for `dnsName`, valid from 2020 to 2049. */
export function selfSigned(dnsName: string): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(0x30, oid(ECDSA_WITH_SHA256));
  const name = der(0x30, der(0x31, der(0x30, oid(COMMON_NAME), der(0x0c, Buffer.from(dnsName)))));
  const validity = der(0x30, der(0x17, Buffer.from("200101000000Z")), der(0x17, Buffer.from("491231235959Z")));
  const altName = der(0x30, oid(SUBJECT_ALT_NAME), der(0x04, der(0x30, der(0x82, Buffer.from(dnsName)))));
  const version3 = der(0xa0, der(0x02, Buffer.from([2])));
  const serial = der(0x02, Buffer.from([1]));
  const subjectKey = publicKey.export({ type: "spki", format: "der" });
  const extensions = der(0xa3, der(0x30, altName));
  const body = der(0x30, version3, serial, algorithm, name, validity, name, subjectKey, extensions);
  const signature = der(0x03, Buffer.from([0]), sign("sha256", body, privateKey));
  const certificate = der(0x30, body, algorithm, signature);
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${inLines(certificate)}\n-----END CERTIFICATE-----\n`,
  };
}

/** One ASN.1 value: tag, length, content. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  const { length } = bytes;
  const long = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...(length < 128 ? [length] : long)]), bytes]);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

/** PEM lines have 64 characters (RFC 7468); OpenSSL refuses much longer ones. */
function inLines(bytes: Buffer): string {
  return bytes.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
}
