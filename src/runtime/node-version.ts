/** The first release of each line of Node with the security fixes of October 2026 (Brotli decoder, checks of TLS host names). */
const FIXED = [
  [24, 22, 1],
  [26, 12, 1],
] as const;

/** A sentence for the operator where this Node has known security faults, else null. `version` as `process.versions.node` gives it. */
export function nodeVersionWarning(version: string): string | null {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const fixed = FIXED.find(([line]) => line >= major);
  if (fixed === undefined) return null;
  const [line, fixedMinor, fixedPatch] = fixed;
  if (line === major && (minor > fixedMinor || (minor === fixedMinor && patch >= fixedPatch))) return null;
  return `Node.js ${version} has known security faults: use ${FIXED.map((parts) => parts.join(".")).join(" or ")}, or newer.`;
}
