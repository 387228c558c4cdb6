/** What is known of a delivery that is claimed, made of rows. */
import { secretsAt } from "../../../domain/signing-secrets.ts";
import type { ClaimedDelivery } from "../../../service/ports/delivery-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { callbacks } from "../schema/tables.ts";
import { readableSecrets } from "../callbacks/secrets.ts";

/** The columns of a callback that its deliveries are sent by. */
export const targetColumns = {
  id: callbacks.id,
  clientId: callbacks.clientId,
  url: callbacks.url,
  eventName: callbacks.eventName,
  subscriptionId: callbacks.subscriptionId,
  signingSecret: callbacks.signingSecret,
  olderSecrets: callbacks.olderSecrets,
};

/** The row of `targetColumns`, or one that has more. */
export type TargetRow = Omit<ClaimedDelivery["callback"], "signingSecrets"> & Parameters<typeof readableSecrets>[0];

/** Without any secret where those stored cannot be read: the attempt tells of that. */
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
