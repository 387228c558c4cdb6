import type { Emit, TelemetryEvent } from "../service/ports/telemetry.ts";

/** Gets every event of the server; the log is one listener. It must not block. */
export type TelemetryListener = (event: TelemetryEvent) => void;

/**
 * Reports each event to every listener, in their order. What a listener throws affects neither the caller nor the other listeners: they get
 * one `internal.failed` for its first failure, and its later failures are dropped, since a broken listener fails with every event.
 */
export function createEmit(listeners: readonly TelemetryListener[]): Emit {
  const failed = new Set<TelemetryListener>();

  function report(event: TelemetryEvent): void {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        reportFailure(listener, error);
      }
    }
  }

  function reportFailure(listener: TelemetryListener, error: unknown): void {
    if (failed.has(listener)) return;
    failed.add(listener);
    report({ kind: "internal.failed", where: `telemetry listener ${listener.name}`, error });
  }

  return report;
}
