// npm install hono @hono/node-server; SECRET=whsec_… PORT=9000 node hono.mjs
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { receive } from "./verify.mjs";

const app = new Hono();

app.post("/hook", async (context) => {
  const status = receive(context.req.header(), await context.req.text(), work);
  return context.body(null, status);
});

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 9000), hostname: "127.0.0.1" }, ({ port }) =>
  console.log(`http://127.0.0.1:${port}/hook`),
);

/** Your work goes here: make it quick, or put the event into a queue of yours. */
function work({ type, data }) {
  console.log(type, data.task_id);
}
