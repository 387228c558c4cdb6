import type { CallToolResult } from "@modelcontextprotocol/client";
import type { Json } from "../../domain/json.ts";
import type { Upstream } from "../../domain/upstream.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Clock } from "../../service/ports/clock.ts";

import { untilAborted } from "../until-aborted.ts";
import { createLineLimiter } from "./line-limiter.ts";
import { faultOf, UpstreamCallError } from "./call-fault.ts";
import type { CallFault } from "./call-fault.ts";
import { createRedactor } from "./redactor.ts";
import type { Redactor } from "./redactor.ts";
import { openSession } from "./session.ts";
import type { CallOptions, Session, SessionNeeds } from "./session.ts";
import type { UpstreamTool } from "./tool.ts";

/** Waits after a start that failed or a server that died soon, the last one for all further. */
const WAITS_MS = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000] as const;
/** How often a task tries to start a server that does not start. */
const STARTS_MAX = 4;
/** A server that has lived so long did not die of its start. */
const SETTLED_MS = 60_000;
const REASON_CHARS_MAX = 300;

export interface ConnectionNeeds extends Pick<SessionNeeds, "upstream" | "version" | "messageBytesMax"> {
  readonly clock: Clock;
  readonly emit: Emit;
}

/** An upstream server: one process or one session, started when it is needed and shared by all tasks. */
export class UpstreamConnection {
  readonly upstream: Upstream;
  readonly redactor: Redactor;
  readonly #needs: ConnectionNeeds;
  readonly #stopping = new AbortController();
  /** Being started, or there. */
  #session: Promise<Session> | null = null;
  #current: Session | null = null;
  /** All that are not over, the one above among them. */
  readonly #sessions = new Set<Session>();
  /** In a row. */
  #failures = 0;
  #notBefore = 0;
  #trouble = "";
  /** As they were when it was last there. */
  #known: ReadonlyMap<string, UpstreamTool> | null = null;

  constructor(needs: ConnectionNeeds) {
    this.#needs = needs;
    this.upstream = needs.upstream;
    this.redactor = createRedactor(needs.upstream.secrets);
  }

  /** Why it is not there, or was not when it was last tried. */
  get trouble(): string {
    return this.#trouble;
  }

  /** As far as it was ever there. */
  isKnownRepeatable(tool: string): boolean {
    return this.#known?.get(tool)?.isRepeatable ?? false;
  }

  /** Those known from before when it is not there; rejects at once when it was never there and failed a moment ago. */
  async tools(signal: AbortSignal): Promise<ReadonlyMap<string, UpstreamTool>> {
    if (this.#session === null && this.#known !== null) return this.#known;
    if (this.#session === null && this.#needs.clock.now() < this.#notBefore) throw new Error(this.#trouble);
    return this.#toolsOf(await untilAborted(this.#open(), signal), signal);
  }

  /** Of the server as it is now: starts it, patiently. Rejects with an UpstreamCallError. */
  async currentTools(signal: AbortSignal): Promise<ReadonlyMap<string, UpstreamTool>> {
    return this.#toolsOf(await this.#patientOpen(signal), signal);
  }

  /** Rejects with an UpstreamCallError, or with the reason of the signal. */
  async call(tool: string, input: Record<string, Json>, options: CallOptions): Promise<CallToolResult> {
    for (let isFirst = true; ; isFirst = false) {
      const session = await this.#patientOpen(options.signal);
      try {
        return await session.call(tool, input, options);
      } catch (error) {
        options.signal.throwIfAborted();
        const fault = faultOf(error);
        if (fault !== "answered") this.#drop(session);
        // The session was over before the call: the server has been restarted, say.
        if (fault === "refused" && isFirst) continue;
        throw new UpstreamCallError(fault, await this.#reasonOf(error, session, fault));
      }
    }
  }

  /** Ends its process; may be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("The server stops"));
    await this.#session?.catch(() => null);
    await Promise.all([...this.#sessions].map((session) => session.close()));
  }

  async #toolsOf(session: Session, signal: AbortSignal): Promise<ReadonlyMap<string, UpstreamTool>> {
    const { tools } = await session.chosen(signal);
    this.#known = tools;
    return tools;
  }

  async #patientOpen(signal: AbortSignal): Promise<Session> {
    const either = AbortSignal.any([signal, this.#stopping.signal]);
    for (let starts = 1; ; starts++) {
      const waitMs = this.#session === null ? this.#notBefore - this.#needs.clock.now() : 0;
      if (waitMs > 0) await this.#needs.clock.sleep(waitMs, either);
      either.throwIfAborted();
      try {
        return await untilAborted(this.#open(), either);
      } catch {
        either.throwIfAborted();
        if (starts >= STARTS_MAX) throw new UpstreamCallError("refused", this.#trouble);
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
    const say = (line: string): void =>
      emit({ kind: "upstream.logged", upstream: upstream.name, line: this.redactor.text(line) });
    const said = createLineLimiter(() => clock.now(), say);
    const startedAt = clock.now();
    try {
      const session = await openSession({ ...this.#needs, redactor: this.redactor, said, signal });
      const { tools, skipped } = await session.chosen(signal);
      const durationMs = clock.now() - startedAt;
      emit({ kind: "upstream.started", upstream: upstream.name, toolCount: tools.size, skipped, durationMs });
      this.#known = tools;
      this.#current = session;
      this.#sessions.add(session);
      void session.ended.then((reason) => this.#ended(session, reason, startedAt));
      return session;
    } catch (error) {
      if (signal.aborted) throw error;
      const waitMs = this.#putOff(this.#shown(error));
      emit({ kind: "upstream.unavailable", upstream: upstream.name, reason: this.#trouble, waitMs });
      throw error;
    }
  }

  /** By itself, unless we have dropped it or stop. */
  #ended(session: Session, reason: string, startedAt: number): void {
    const { clock, emit, upstream } = this.#needs;
    this.#sessions.delete(session);
    if (this.#stopping.signal.aborted || this.#current !== session) return;
    this.#current = null;
    this.#session = null;
    if (clock.now() - startedAt >= SETTLED_MS) this.#failures = 0;
    const waitMs = this.#putOff(reason);
    emit({ kind: "upstream.ended", upstream: upstream.name, reason, waitMs });
  }

  /** The next call makes a new one. */
  #drop(session: Session): void {
    if (this.#current === session) {
      this.#current = null;
      this.#session = null;
    }
    session.retire();
  }

  #putOff(trouble: string): number {
    const waitMs = WAITS_MS[Math.min(this.#failures, WAITS_MS.length - 1)] ?? 0;
    this.#failures++;
    this.#notBefore = this.#needs.clock.now() + waitMs;
    this.#trouble = trouble;
    return waitMs;
  }

  /** The end of a session, if that is what it was, says more than the call that broke off. */
  async #reasonOf(failure: unknown, session: Session, fault: CallFault): Promise<string> {
    const shown = Promise.resolve(this.#shown(failure));
    return fault === "lost" ? Promise.race([session.ended, shown]) : shown;
  }

  #shown(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return this.redactor.text(`${message}${cause}`).slice(0, REASON_CHARS_MAX);
  }
}
