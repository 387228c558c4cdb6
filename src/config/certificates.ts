import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { SettingProblem } from "./parsers.ts";

/** A bundle of all public authorities has 220 kB. */
const CA_FILE_BYTES_MAX = 1_048_576;

/** The certificates of a PEM file, and nothing else of it: a private key that lies there too is not kept. */
export function readCertificates(file: string): string {
  try {
    const stats = statSync(file);
    // A pipe or a device would keep the start waiting.
    if (!stats.isFile()) throw new Error("it is no regular file");
    if (stats.size > CA_FILE_BYTES_MAX) throw new Error(`it has more than ${CA_FILE_BYTES_MAX} bytes`);
    const found = readFileSync(file, "utf8").match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? [];
    if (found.length === 0) throw new Error("it holds no certificate");
    return found.map((pem) => new X509Certificate(pem).toString()).join("");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SettingProblem(`must name a file of PEM certificates, not ${JSON.stringify(file)}: ${why}`);
  }
}
