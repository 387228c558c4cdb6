import type { CallToolResult } from "@modelcontextprotocol/client";
import type { Json } from "../../domain/json.ts";
import type { Upstream } from "../../domain/upstream.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Clock } from "../../service/ports/clock.ts";

import { untilAborted } from "../until-aborted.ts";
import { createLineLimiter } from "./line-limiter.ts";
import { callErrorKindOf, UpstreamCallError } from "./call-error.ts";
import type { CallErrorKind } from "./call-error.ts";
import { createRedactor } from "./redactor.ts";
import type { Redactor } from "./redactor.ts";
import { openSession } from "./session.ts";
import type { CallOptions, Session, SessionNeeds } from "./session.ts";
import type { UpstreamTool } from "./tool.ts";

/** The backoff after a failed start or a server that ended soon after it. The last wait repeats. */
const BACKOFF_MS = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000] as const;
/** How often one call tries to start the server. */
const STARTS_MAX = 4;
/** A server that ran this long has started well: the backoff begins anew. */
const STABLE_MS = 60_000;
const REASON_CHARS_MAX = 300;

export interface ConnectionNeeds extends Pick<SessionNeeds, "upstream" | "version" | "messageBytesMax"> {
  readonly clock: Clock;
  readonly emit: Emit;
}

/** An upstream server: one process or one session at a time, started when it is needed and shared by all tasks. */
export class UpstreamConnection {
  readonly upstream: Upstream;
  readonly redactor: Redactor;
  readonly #needs: ConnectionNeeds;
  readonly #stopping = new AbortController();
  /** Starting, or available. */
  #session: Promise<Session> | null = null;
  #current: Session | null = null;
  /** All that have not ended, `#current` included. */
  readonly #sessions = new Set<Session>();
  /** Since the last stable session. */
  #failures = 0;
  #notBefore = 0;
  #problem = "";
  /** The tools of the last session. */
  #known: ReadonlyMap<string, UpstreamTool> | null = null;

  constructor(needs: ConnectionNeeds) {
    this.#needs = needs;
    this.upstream = needs.upstream;
    this.redactor = createRedactor(needs.upstream.secrets);
  }

  /** Why the last start failed or the last session ended; "": neither has happened. */
  get problem(): string {
    return this.#problem;
  }

  /** From the last list of its tools. */
  isKnownRepeatable(tool: string): boolean {
    return this.#known?.get(tool)?.isRepeatable ?? false;
  }

  /** The tools of the last session when the server is not available. Rejects at once during the backoff of a server that was never available. */
  async tools(signal: AbortSignal): Promise<ReadonlyMap<string, UpstreamTool>> {
    if (this.#session === null && this.#known !== null) return this.#known;
    if (this.#session === null && this.#needs.clock.now() < this.#notBefore) throw new Error(this.#problem);
    return this.#toolsOf(await untilAborted(this.#open(), signal), signal);
  }

  /** The tools of a running server: starts it, with retries. Rejects with an UpstreamCallError. */
  async currentTools(signal: AbortSignal): Promise<ReadonlyMap<string, UpstreamTool>> {
    return this.#toolsOf(await this.#openWithRetries(signal), signal);
  }

  /** Rejects with an UpstreamCallError, or with the reason of the signal. */
  async call(tool: string, input: Record<string, Json>, options: CallOptions): Promise<CallToolResult> {
    for (let isFirst = true; ; isFirst = false) {
      const session = await this.#openWithRetries(options.signal);
      try {
        return await session.call(tool, input, options);
      } catch (error) {
        options.signal.throwIfAborted();
        const kind = callErrorKindOf(error);
        if (kind !== "answered") this.#discard(session);
        // The session had ended before the call, e.g. by a restart of the server.
        if (kind === "refused" && isFirst) continue;
        throw new UpstreamCallError(kind, await this.#reasonOf(error, session, kind));
      }
    }
  }

  /** Ends its process. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("The server stops"));
    await this.#session?.catch(() => null);
    await Promise.all([...this.#sessions].map((session) => session.close()));
  }

  async #toolsOf(session: Session, signal: AbortSignal): Promise<ReadonlyMap<string, UpstreamTool>> {
    const { tools } = await session.tools(signal);
    this.#known = tools;
    return tools;
  }

  async #openWithRetries(signal: AbortSignal): Promise<Session> {
    const either = AbortSignal.any([signal, this.#stopping.signal]);
    for (let starts = 1; ; starts++) {
      const waitMs = this.#session === null ? this.#notBefore - this.#needs.clock.now() : 0;
      if (waitMs > 0) await this.#needs.clock.sleep(waitMs, either);
      either.throwIfAborted();
      try {
        return await untilAborted(this.#open(), either);
      } catch {
        either.throwIfAborted();
        if (starts >= STARTS_MAX) throw new UpstreamCallError("refused", this.#problem);
      }
    }
  }

  #open(): Promise<Session> {
    this.#session ??= this.#start().catch((error: unknown) => {
      this.#session = null;
      throw error;
    });
    return this.#session;
  }

  async #start(): Promise<Session> {
    const { upstream, clock, emit } = this.#needs;
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    const log = createLineLimiter({
      now: () => clock.now(),
      redact: (line) => this.redactor.text(line),
      longestSecret: Math.max(0, ...upstream.secrets.map((secret) => secret.length)),
      emitLine: (line) => emit({ kind: "upstream.logged", upstream: upstream.name, line }),
    });
    const startedAt = clock.now();
    try {
      const session = await openSession({ ...this.#needs, redactor: this.redactor, log, signal });
      const { tools, skipped } = await session.tools(signal);
      const durationMs = clock.now() - startedAt;
      emit({ kind: "upstream.started", upstream: upstream.name, toolCount: tools.size, skipped, durationMs });
      this.#known = tools;
      this.#current = session;
      this.#sessions.add(session);
      void session.ended.then((reason) => this.#ended(session, reason, startedAt));
      return session;
    } catch (error) {
      if (signal.aborted) throw error;
      const waitMs = this.#backOff(this.#messageOf(error));
      emit({ kind: "upstream.unavailable", upstream: upstream.name, reason: this.#problem, waitMs });
      throw error;
    }
  }

  /** The session ended, and neither `#discard` nor `stop` has ended it. */
  #ended(session: Session, reason: string, startedAt: number): void {
    const { clock, emit, upstream } = this.#needs;
    this.#sessions.delete(session);
    if (this.#stopping.signal.aborted || this.#current !== session) return;
    this.#current = null;
    this.#session = null;
    if (clock.now() - startedAt >= STABLE_MS) this.#failures = 0;
    const waitMs = this.#backOff(reason);
    emit({ kind: "upstream.ended", upstream: upstream.name, reason, waitMs });
  }

  /** The next call starts another session. */
  #discard(session: Session): void {
    if (this.#current === session) {
      this.#current = null;
      this.#session = null;
    }
    session.retire();
  }

  #backOff(problem: string): number {
    const waitMs = BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length - 1)] ?? 0;
    this.#failures++;
    this.#notBefore = this.#needs.clock.now() + waitMs;
    this.#problem = problem;
    return waitMs;
  }

  /** For a lost call: the reason of the end of its session, where the session has ended. */
  async #reasonOf(failure: unknown, session: Session, kind: CallErrorKind): Promise<string> {
    const message = Promise.resolve(this.#messageOf(failure));
    return kind === "lost" ? Promise.race([session.ended, message]) : message;
  }

  #messageOf(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return this.redactor.text(`${message}${cause}`).slice(0, REASON_CHARS_MAX);
  }
}
