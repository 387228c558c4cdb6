/** A claimed delivery, made of rows. */
import { secretsAt } from "../../../domain/signing-secrets.ts";
import type { ClaimedDelivery } from "../../../service/ports/delivery-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { callbacks } from "../schema/tables.ts";
import { readableSecrets } from "../callbacks/secrets.ts";

/** The columns of a callback that a request to it is made from. */
export const targetColumns = {
  id: callbacks.id,
  clientId: callbacks.clientId,
  url: callbacks.url,
  eventName: callbacks.eventName,
  subscriptionId: callbacks.subscriptionId,
  signingSecret: callbacks.signingSecret,
  olderSecrets: callbacks.olderSecrets,
};

/** A row with at least `targetColumns`. */
export type TargetRow = Omit<ClaimedDelivery["callback"], "signingSecrets"> & Parameters<typeof readableSecrets>[0];

/** It has no secret if the stored ones cannot be read; the attempt then fails with an internal error. */
export function toDeliveryTarget(row: TargetRow, cipher: SecretCipher, now: number): ClaimedDelivery["callback"] {
  const { id, clientId, url, eventName, subscriptionId } = row;
  const secrets = readableSecrets(row, cipher);
  return {
    id,
    clientId,
    url,
    eventName,
    subscriptionId,
    signingSecrets: secrets === null ? [] : secretsAt(secrets, now),
  };
}
