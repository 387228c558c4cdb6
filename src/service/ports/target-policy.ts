/** Whether deliveries may go to a URL's host. Checked at registration and again at each connection. */
export interface TargetPolicy {
  /** `principal`: whose share of the name look-ups is used. */
  check(url: URL, principal: string): Promise<TargetVerdict>;
}

/** `reason`: half a sentence after "callback_url …", e.g. "points at 10.0.0.1, which is not a public address". */
export type TargetVerdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };
