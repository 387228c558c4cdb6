import { Webhook } from "standardwebhooks";
import type { ReceivedRequest } from "./receiver.ts";

/** An independent implementation signs the very bytes that came, with this secret, and finds the same signature. */
export function signatureBy(secret: string, { headers, body }: ReceivedRequest): string {
  const at = new Date(Number(headers["webhook-timestamp"]) * 1000);
  return new Webhook(secret).sign(String(headers["webhook-id"]), at, body);
}
