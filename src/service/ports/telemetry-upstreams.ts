/** Events of upstream servers. Their tokens are removed from every text. */
export type UpstreamTelemetry =
  | {
      readonly kind: "upstream.started";
      readonly upstream: string;
      readonly toolCount: number;
      /** Allowed tools that cannot be offered, each with the reason. */
      readonly skipped: readonly string[];
      readonly durationMs: number;
    }
  /** It could not be started or reached. The next try follows after `waitMs`. */
  | {
      readonly kind: "upstream.unavailable";
      readonly upstream: string;
      readonly reason: string;
      readonly waitMs: number;
    }
  /** It was connected, and its process or connection has ended. */
  | { readonly kind: "upstream.ended"; readonly upstream: string; readonly reason: string; readonly waitMs: number }
  /** A line of its stderr, or what is wrong with its messages. */
  | { readonly kind: "upstream.logged"; readonly upstream: string; readonly line: string };
