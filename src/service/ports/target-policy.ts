/** Whether deliveries may go to a URL's host. Checked at registration and again at each connection. */
export interface TargetPolicy {
  /** Looks no name up. */
  check(url: URL): Promise<TargetVerdict>;
}

/** `reason`: half a sentence after "callback_url …", e.g. "points at 10.0.0.1, which is not a public address". */
export type TargetVerdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };
