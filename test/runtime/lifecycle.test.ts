import { expect, test } from "vitest";
import { Lifecycle } from "../../src/runtime/lifecycle.ts";

test("stops in reverse order, parts of a group together, once", async () => {
  const lifecycle = new Lifecycle();
  const order: string[] = [];
  const stopping = (name: string) => async () => {
    order.push(`${name} stops`);
    await new Promise(setImmediate);
    order.push(`${name} is down`);
  };
  lifecycle.add("store", stopping("store"));
  lifecycle.add("dispatcher", stopping("dispatcher"));
  lifecycle.addParallel("http", stopping("http"));
  await Promise.all([lifecycle.stop(), lifecycle.stop()]);
  expect(order).toEqual([
    "dispatcher stops",
    "http stops",
    "dispatcher is down",
    "http is down",
    "store stops",
    "store is down",
  ]);
});

test("when one part fails to stop, the other parts still stop", async () => {
  const lifecycle = new Lifecycle();
  let storeIsDown = false;
  lifecycle.add("store", async () => void (storeIsDown = true));
  lifecycle.add("http", () => Promise.reject(new Error("stuck")));
  await expect(lifecycle.stop()).rejects.toThrow("Some parts did not stop");
  expect(storeIsDown).toBe(true);
});
