import type { UpstreamTelemetry } from "../service/ports/telemetry-upstreams.ts";

export function upstreamLines(event: UpstreamTelemetry): readonly string[] {
  const { upstream } = event;
  switch (event.kind) {
    case "upstream.started":
      return [
        `🔗 Upstream ${upstream} is connected: ${event.toolCount} of its tools are task types`,
        ...event.skipped.map((problem) => `⚠️ Upstream ${upstream}: ${problem}`),
      ];
    case "upstream.unavailable":
      return [`⚠️ Upstream ${upstream} is not available: ${event.reason}; ${nextTry(event.waitMs)}`];
    case "upstream.ended":
      return [`⚠️ Upstream ${upstream} has ended: ${event.reason}; ${nextTry(event.waitMs)}`];
    case "upstream.logged":
      return [`💬 Upstream ${upstream}: ${event.line}`];
  }
}

function nextTry(waitMs: number): string {
  return waitMs === 0
    ? "it is started again when it is needed"
    : `the next try is possible in ${Math.ceil(waitMs / 1000)} s`;
}
