import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { SettingProblem } from "./parsers.ts";

/** A bundle of all public certificate authorities has 220 kB. */
const CA_FILE_BYTES_MAX = 1_048_576;

/** Returns the certificates of a PEM file and nothing else: a private key in the file is dropped. Throws a `SettingProblem`. */
export function readCertificates(file: string): string {
  try {
    const stats = statSync(file);
    // Reading a pipe or a device could block the start.
    if (!stats.isFile()) throw new Error("it is not a regular file");
    if (stats.size > CA_FILE_BYTES_MAX) throw new Error(`it is larger than ${CA_FILE_BYTES_MAX} bytes`);
    const found = readFileSync(file, "utf8").match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? [];
    if (found.length === 0) throw new Error("it contains no certificate");
    return found.map((pem) => new X509Certificate(pem).toString()).join("");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SettingProblem(`must name a file of PEM certificates, not ${JSON.stringify(file)}: ${why}`);
  }
}
