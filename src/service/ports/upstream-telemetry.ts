/** What happens to upstream servers. Their tokens have been taken out of every text. */
export type UpstreamTelemetry =
  | {
      readonly kind: "upstream.started";
      readonly upstream: string;
      readonly toolCount: number;
      /** Allowed tools that cannot be offered, each with the reason. */
      readonly skipped: readonly string[];
      readonly durationMs: number;
    }
  /** It could not be started or reached; it is not tried again before `waitMs` have passed. */
  | {
      readonly kind: "upstream.unavailable";
      readonly upstream: string;
      readonly reason: string;
      readonly waitMs: number;
    }
  /** It was there and is gone, by itself. */
  | { readonly kind: "upstream.ended"; readonly upstream: string; readonly reason: string; readonly waitMs: number }
  /** A line of its stderr, or what is wrong with its messages. */
  | { readonly kind: "upstream.logged"; readonly upstream: string; readonly line: string };
