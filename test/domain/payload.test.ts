/** What receivers of the two newer body profiles get; facts.test.ts has the contract's own. */
import { CloudEvent, HTTP } from "cloudevents";
import { describe, expect, test } from "vitest";
import { contentTypeOf, renderBody } from "../../src/domain/payload.ts";
import type { BodyProfile } from "../../src/domain/payload.ts";
import { renderTerminated, renderVerification } from "../../src/domain/subscription-messages.ts";
import { eventDataOf, EVENT_NAMES, eventTypeOf, progressDataOf } from "../../src/domain/event.ts";
import type { Event, EventName } from "../../src/domain/event.ts";
import type { TaskOutcome } from "../../src/domain/task.ts";
import { T0 } from "../support/builders.ts";

const ENDS: readonly TaskOutcome[] = [
  { status: "completed", result: { secret_of_the_result: [1, null, "🎉"] } },
  { status: "failed", error: "no disk" },
  { status: "cancelled", error: "not wanted any more" },
];

function anEvent(outcome: TaskOutcome): Event {
  const data = eventDataOf({ taskId: "demo_task_123", clientId: "inspector_a" }, outcome, 7);
  return { id: "evt_1", type: eventTypeOf(outcome.status), occurredAt: T0, data };
}

function render(profile: BodyProfile, event: Event, eventName: EventName | null = null, cursor: string | null = null) {
  return renderBody(event, recipientOf(eventName, cursor), { profile, profileVersion: 1 });
}

function recipientOf(eventName: EventName | null = null, cursor: string | null = null) {
  const [principal, url] = ["team@a", "https://a.example/hook?k=1"];
  return { principal, url, clientId: "inspector_b", eventName, cursor };
}

describe("version 2 of every profile says the audience and the principal", () => {
  const BINDING = { audience: "https://a.example/hook?k=1", principal: "team@a" };
  const bodyIn = (profile: BodyProfile): Record<string, unknown> =>
    JSON.parse(renderBody(anEvent(ENDS[0]!), recipientOf(), { profile, profileVersion: 2 }));

  test.each(["standard", "cloudevents"] as const)("at the top of %s", (profile) => {
    const { audience, principal, source: _, ...others } = bodyIn(profile);
    expect({ audience, principal }).toEqual(BINDING);
    const { source: __, ...before } = JSON.parse(render(profile, anEvent(ENDS[0]!))) as Record<string, unknown>;
    expect(others).toEqual(before);
  });

  test("in _meta of mcp-events, whose other members are the standard's", () => {
    const { _meta, ...others } = bodyIn("mcp-events");
    expect(_meta).toEqual(BINDING);
    expect(others).toEqual(JSON.parse(render("mcp-events", anEvent(ENDS[0]!))));
  });

  test("in a CloudEvent, whose source has the principal, as the official SDK reads it", () => {
    const body = renderBody(anEvent(ENDS[0]!), recipientOf(), { profile: "cloudevents", profileVersion: 2 });
    const read = HTTP.toEvent({ headers: { "content-type": contentTypeOf("cloudevents") }, body });
    expect(read instanceof CloudEvent && read.validate()).toBe(true);
    expect(read).toMatchObject({ ...BINDING, source: "urn:mcp-callbacks:tasks:team%40a" });
  });
});

describe("the body of the profile mcp-events", () => {
  test("a completed task, to the byte: no result in it", () => {
    expect(render("mcp-events", anEvent(ENDS[0]!), "task_completed", "evc_Nw")).toBe(
      '{"eventId":"evt_1","name":"task_completed","timestamp":"2026-11-23T05:00:00.000Z","data":{"task_id":"demo_task_123",' +
        '"started_by":"inspector_a","status":"completed","sequence":7,"finished_at":"2026-11-23T05:00:00.000Z"},"cursor":"evc_Nw"}',
    );
  });

  test("a failed task, to the byte, by the name that was subscribed to", () => {
    expect(render("mcp-events", anEvent(ENDS[1]!), "task_finished")).toBe(
      '{"eventId":"evt_1","name":"task_finished","timestamp":"2026-11-23T05:00:00.000Z","data":{"task_id":"demo_task_123",' +
        '"started_by":"inspector_a","status":"failed","sequence":7,"error":"no disk","finished_at":"2026-11-23T05:00:00.000Z"},"cursor":null}',
    );
  });

  test.each(EVENT_NAMES)(
    "of %s is an event to its receiver: no type at the top, data an object, a zoned time",
    (name) => {
      for (const outcome of ENDS) {
        const body: unknown = JSON.parse(render("mcp-events", anEvent(outcome), name));
        expect(body).not.toHaveProperty("type");
        expect(body).toEqual({
          eventId: expect.stringMatching(/^[\x21-\x7e]{1,256}$/),
          name,
          timestamp: expect.stringMatching(/Z$/),
          data: expect.objectContaining({ task_id: "demo_task_123", status: outcome.status }),
          cursor: null,
        });
      }
    },
  );

  test("has the beginning of a long error only, and is small whatever the task gave", () => {
    const error = "x".repeat(4096);
    const large = render("mcp-events", anEvent({ status: "failed", error }), "task_failed");
    expect(JSON.parse(large)).toMatchObject({ data: { error: "x".repeat(500) } });
    const result = "y".repeat(200_000);
    expect(render("mcp-events", anEvent({ status: "completed", result }), "task_completed").length).toBeLessThan(400);
  });

  test("an emoji where a long error is cut does not make JSON that strict parsers refuse", () => {
    const body = render("mcp-events", anEvent({ status: "failed", error: `${"x".repeat(499)}🎉 and more` }), null);
    expect(body.isWellFormed()).toBe(true);
    expect(body).not.toMatch(/\\ud[89a-f]/i);
    expect(JSON.parse(body)).toMatchObject({ data: { error: `${"x".repeat(499)}\ufffd` } });
  });
});

describe("the body of progress", () => {
  const task = { taskId: "demo_task_123", clientId: "inspector_a" };
  const data = progressDataOf(task, { done: 40, total: null, message: "encoding" }, 3);
  const event: Event = { id: "evt_1", type: "task_progress", occurredAt: T0, data };
  const DATA =
    '"data":{"task_id":"demo_task_123","client_id":"inspector_b","started_by":"inspector_a","status":"running","sequence":3,' +
    '"progress":{"done":40,"total":null,"message":"encoding"},"message":"⏳ Task in progress"}}';

  test("in the profile standard, to the byte: nothing has completed", () => {
    expect(render("standard", event)).toBe(`{"type":"task_progress","timestamp":"2026-11-23T05:00:00.000Z",${DATA}`);
  });

  test("in the profile cloudevents, to the byte, and valid for the official SDK", () => {
    const body = render("cloudevents", event);
    expect(body).toBe(
      '{"specversion":"1.0","id":"evt_1","source":"urn:mcp-callbacks:tasks","type":"task_progress","time":"2026-11-23T05:00:00.000Z",' +
        `"datacontenttype":"application/json",${DATA}`,
    );
    const read = HTTP.toEvent({ headers: { "content-type": contentTypeOf("cloudevents") }, body });
    expect(read instanceof CloudEvent && read.validate()).toBe(true);
  });

  test("there is none for subscriptions, which get ends only", () => {
    expect(() => render("mcp-events", event, "task_finished")).toThrow("no progress");
  });
});

test("control messages have a type at the top, and their keys in the order of the text", () => {
  expect(renderVerification("n0nce")).toBe('{"type":"verification","challenge":"n0nce"}');
  expect(renderTerminated({ code: -32012, message: "Forbidden", data: { reason: "access_revoked" } })).toBe(
    '{"type":"terminated","error":{"code":-32012,"message":"Forbidden","data":{"reason":"access_revoked"}}}',
  );
});

describe("the body of the profile cloudevents", () => {
  /** CloudEvents 1.0.2, "Required Attributes" and "Type System"; JSON Event Format, "Envelope". */
  test("a completed task, to the byte", () => {
    expect(render("cloudevents", anEvent(ENDS[0]!))).toBe(
      '{"specversion":"1.0","id":"evt_1","source":"urn:mcp-callbacks:tasks","type":"task_completed","time":"2026-11-23T05:00:00.000Z",' +
        '"datacontenttype":"application/json","data":{"task_id":"demo_task_123","client_id":"inspector_b","started_by":"inspector_a",' +
        '"status":"completed","sequence":7,"result":{"secret_of_the_result":[1,null,"🎉"]},' +
        '"message":"🎉 Task completed successfully!","completed_at":"2026-11-23T05:00:00.000Z"}}',
    );
  });

  test.each(ENDS)("of a $status task holds to the rules of the JSON format", (outcome) => {
    const envelope = JSON.parse(render("cloudevents", anEvent(outcome))) as Record<string, unknown>;
    const { data, ...attributes } = envelope;
    expect(attributes).toEqual({
      specversion: "1.0",
      id: expect.stringMatching(/./),
      source: expect.stringMatching(/^urn:[a-z0-9][a-z0-9-]{0,31}:[\w:.-]+$/),
      type: eventTypeOf(outcome.status),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/),
      datacontenttype: "application/json",
    });
    for (const name of Object.keys(envelope)) expect(name).toMatch(/^[a-z0-9]{1,20}$/);
    expect(URL.canParse(String(attributes["source"]))).toBe(true);
    expect(data).toMatchObject({ task_id: "demo_task_123", client_id: "inspector_b" });
  });

  test.each(ENDS)("of a $status task is read and found valid by the official SDK", (outcome) => {
    const body = render("cloudevents", anEvent(outcome));
    const headers = { "content-type": contentTypeOf("cloudevents") };
    expect(HTTP.isEvent({ headers, body })).toBe(true);
    const read = HTTP.toEvent({ headers, body });
    if (!(read instanceof CloudEvent)) throw new Error("It was read as a batch");
    expect(read.validate()).toBe(true);
    expect(read).toMatchObject({ id: "evt_1", specversion: "1.0", time: "2026-11-23T05:00:00.000Z" });
    expect(read.data).toEqual((JSON.parse(body) as { data: unknown }).data);
  });
});

test("each profile says what it is in its content type", () => {
  expect(contentTypeOf("standard")).toBe("application/json");
  expect(contentTypeOf("mcp-events")).toBe("application/json");
  expect(contentTypeOf("cloudevents")).toBe("application/cloudevents+json");
});
