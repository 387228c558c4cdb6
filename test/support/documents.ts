import { normalised } from "./readme.ts";

/** What the command line prints for a person, without what differs from run to run. */
export function asShown(text: string): string {
  return normalised(text).replaceAll(/(duration_ms: )\d+/g, "$1…");
}
