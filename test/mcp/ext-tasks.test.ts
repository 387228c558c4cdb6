/** The official client of MCP tasks, in both protocol versions that it speaks. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createTaskSessionFromClient } from "@modelcontextprotocol/ext-tasks/client";
import type { RawClientDispatch, TaskEnabledSession } from "@modelcontextprotocol/ext-tasks/client";
import type { TaskId } from "@modelcontextprotocol/ext-tasks/core";
import { TaskStatusNotificationV2Schema } from "@modelcontextprotocol/ext-tasks/core/v2";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { NOW } from "./asking.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { openStream } from "./stream.ts";
import { modernRequest } from "./wire.ts";

const MODERN = "2026-07-28";
const COMPLETED = { status: "completed", result: { pages: 3 } } as const;
const CLIENT_INFO = { name: "ext-tasks", version: "0" };
const TTL_MS = 86_400_000;

const VERSIONS = [
  { version: "2025-11-25", open: openLegacy, failure: { status: "failed", error: { message: "no disk" } } },
  // A tool's error is a result there.
  { version: MODERN, open: openModern, failure: { status: "completed", result: { isError: true } } },
] as const;

type Session = TaskEnabledSession;

async function openLegacy({ url }: ServedMcp): Promise<Session> {
  const client = new Client(CLIENT_INFO);
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return owned(client, createTaskSessionFromClient(client, { endpointId: url, onError: fail }));
}

async function openModern({ url }: ServedMcp): Promise<Session> {
  const client = new Client(CLIENT_INFO, { versionNegotiation: { mode: { pin: MODERN } } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const v2RequestFraming = { protocolVersion: MODERN, clientInfo: CLIENT_INFO, clientCapabilities: {} };
  const options = { endpointId: url, rawDispatch: dispatchTo(url), v2RequestFraming, onError: fail };
  return owned(client, createTaskSessionFromClient(client, options));
}

function owned(client: Client, session: Session): Session {
  onTestFinished(async () => {
    await session.close();
    await client.close();
  });
  return session;
}

/** What the client needs from its host in this version: a function that sends a request which is already framed. */
function dispatchTo(url: string): RawClientDispatch {
  return async (request, options) => {
    const { method, params } = rawRequest.parse(request);
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": MODERN,
        "mcp-method": method,
        "mcp-name": params.name ?? params.taskId ?? "",
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      ...(options?.signal && { signal: options.signal }),
    });
    const { result, error } = rawAnswer.parse(await response.json());
    return error === undefined ? { kind: "result", result } : { kind: "error", error };
  };
}

const rawRequest = z.object({
  method: z.string(),
  params: z.looseObject({ name: z.string().optional(), taskId: z.string().optional() }),
});
const rawAnswer = z.object({
  result: z.json().default(null),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});

function fail(error: Error): void {
  throw error;
}

/** Runs a task through the client to its end. `end` ends the task once it exists. */
async function settle(session: Session, given: Record<string, string>, end: () => Promise<void>) {
  const execution = await session.callTool("run_task", given, { task: { preference: "require" } });
  expect(execution.kind).toBe("task");
  await end();
  const { outcome, lastTask } = await execution.settle();
  return { outcome, lastTask };
}

describe.each(VERSIONS)("the official tasks client ($version)", ({ open, failure }) => {
  it("gets the result of a task that completes", async () => {
    const served = await serveMcp();
    const session = await open(served);
    const { outcome, lastTask } = await settle(session, { task_id: "t1" }, () => served.runTask(COMPLETED));
    expect(outcome).toMatchObject({
      status: "completed",
      result: { structuredContent: { task_id: "t1", ...COMPLETED } },
    });
    expect(lastTask).toMatchObject({
      status: "completed",
      statusMessage: "The task has completed.",
      createdAt: NOW,
      lastUpdatedAt: NOW,
      retentionMs: TTL_MS,
      suggestedPollIntervalMs: 1000,
    });
  });

  it("learns that a task has failed, and why", async () => {
    const served = await serveMcp();
    const session = await open(served);
    const { outcome, lastTask } = await settle(session, {}, () =>
      served.runTask({ status: "failed", error: "no disk" }),
    );
    expect(lastTask).toMatchObject({ statusMessage: "no disk" });
    expect(outcome).toMatchObject(failure);
  });

  it("cancels a task", async () => {
    const served = await serveMcp();
    const session = await open(served);
    const execution = await session.callTool("run_task", { task_id: "t1" }, { task: { preference: "require" } });
    await execution.cancel();
    expect((await execution.result()).status).toBe("cancelled");
    expect(await served.store.findTask("local", "t1")).toMatchObject({ status: "cancelled" });
  });

  it("learns that a task was cancelled by other means", async () => {
    const served = await serveMcp();
    const session = await open(served);
    const { outcome, lastTask } = await settle(session, { task_id: "t1" }, async () => {
      await session.callTool("cancel_task", { task_id: "t1" }, { task: { preference: "forbid" } });
    });
    expect(outcome).toMatchObject({ status: "cancelled" });
    expect(lastTask).toMatchObject({ status: "cancelled", statusMessage: "The task was cancelled on request." });
  });

  it("finds a task that has already ended", async () => {
    const served = await serveMcp();
    const session = await open(served);
    await settle(session, { task_id: "t1" }, () => served.runTask(COMPLETED));
    const { outcome } = await settle(session, { task_id: "t1" }, async () => {});
    expect(outcome).toMatchObject({ status: "completed", result: { structuredContent: COMPLETED } });
  });

  it("sees what a task is doing, and when it last reported that", async () => {
    const served = await serveMcp();
    const session = await open(served);
    const execution = await session.callTool("run_task", {}, { task: { preference: "require" } });
    const taskId = execution.handle!.taskId;
    const view = async () => {
      const { status, statusMessage, lastUpdatedAt } = await session.task(taskId).snapshot();
      return { status, statusMessage, lastUpdatedAt };
    };
    const at = (ms: number) => new Date(Date.parse(NOW) + ms).toISOString();
    expect(await view()).toEqual({
      status: "working",
      statusMessage: "The task waits to be run.",
      lastUpdatedAt: NOW,
    });
    served.clock.advance(10);
    await served.runTask();
    expect(await view()).toEqual({ status: "working", statusMessage: "The task is running.", lastUpdatedAt: at(10) });
    served.clock.advance(10);
    await served.reportProgress({ done: 3, total: 10, message: "Reading page 3" });
    expect(await view()).toEqual({ status: "working", statusMessage: "Reading page 3", lastUpdatedAt: at(20) });
    served.clock.advance(10);
    await served.reportProgress({ done: 4, total: 10, message: null });
    expect(await view()).toEqual({
      status: "working",
      statusMessage: "The task is at 4 of 10.",
      lastUpdatedAt: at(30),
    });
    await execution.detach();
  });

  it("reports its own error when the task is not one of the client's", async () => {
    const session = await open(await serveMcp());
    await expect(session.task("tsk_00000000000000000000000000" as TaskId).snapshot()).rejects.toThrow("Task not found");
  });
});

it.each([
  ["completed", COMPLETED],
  ["failed", { status: "failed", error: "no disk" }],
  ["cancelled", { status: "cancelled", error: "not wanted" }],
] as const)("the official client can read notifications/tasks of a task that has %s", async (_status, outcome) => {
  const served = await serveMcp();
  const session = await openModern(served);
  const execution = await session.callTool("run_task", {});
  await served.runTask(outcome);
  const taskIds = [execution.handle!.taskId];
  await execution.detach();
  const capabilities = { extensions: { "io.modelcontextprotocol/tasks": {} } };
  const stream = openStream(
    served.port,
    modernRequest("subscriptions/listen", { notifications: { taskIds } }, capabilities),
  );
  const notification = TaskStatusNotificationV2Schema.parse(await stream.waitFor("notifications/tasks"));
  expect(notification.params).toMatchObject(
    outcome.status === "cancelled"
      ? { status: "cancelled", statusMessage: "not wanted" }
      : { status: "completed", result: { resultType: "complete" } },
  );
});
