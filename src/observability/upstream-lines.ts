import type { UpstreamAnnouncement } from "../service/ports/upstream-telemetry.ts";

export function upstreamLines(announcement: UpstreamAnnouncement): readonly string[] {
  const { upstream } = announcement;
  switch (announcement.kind) {
    case "upstream.started":
      return [
        `🔗 Upstream ${upstream} is connected: ${announcement.toolCount} of its tools are task types`,
        ...announcement.left.map((problem) => `⚠️ Upstream ${upstream}: ${problem}`),
      ];
    case "upstream.unavailable":
      return [`⚠️ Upstream ${upstream} is not available: ${announcement.reason}; ${nextTry(announcement.waitMs)}`];
    case "upstream.ended":
      return [`⚠️ Upstream ${upstream} has ended: ${announcement.reason}; ${nextTry(announcement.waitMs)}`];
    case "upstream.said":
      return [`💬 Upstream ${upstream}: ${announcement.line}`];
  }
}

function nextTry(waitMs: number): string {
  return waitMs === 0 ? "started again when it is needed" : `not tried again for ${Math.ceil(waitMs / 1000)} s`;
}
