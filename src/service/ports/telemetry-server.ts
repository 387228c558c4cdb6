export type ServerTelemetry =
  | {
      readonly kind: "http.request";
      readonly remoteAddress: string;
      readonly method: string;
      readonly path: string;
      readonly status: number;
      readonly durationMs: number;
    }
  /** `setting` could allow this header's name. Once for each name; `isLast`: no further names are reported. */
  | {
      readonly kind: "request.refused";
      readonly header: "Host" | "Origin";
      readonly name: string;
      readonly setting: string;
      readonly isLast: boolean;
    }
  /** Arguments that the client adds to every call. `names`: of a fixed list. */
  | { readonly kind: "tool.arguments_ignored"; readonly tool: string; readonly names: readonly string[] }
  | {
      readonly kind: "inbox.received";
      readonly clientId: string;
      readonly type: string;
      readonly taskId: string | null;
    }
  | { readonly kind: "internal.failed"; readonly where: string; readonly error: unknown };
