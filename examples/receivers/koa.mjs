// npm install koa; SECRET=whsec_… PORT=9000 node koa.mjs
import { text } from "node:stream/consumers";
import Koa from "koa";
import { receive } from "./verify.mjs";

const app = new Koa();

// No body parser before this: the raw body is read here.
app.use(async (context) => {
  if (context.method !== "POST" || context.path !== "/hook") return;
  context.status = receive(context.headers, await text(context.req), work);
});

const server = app.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () =>
  console.log(`http://127.0.0.1:${server.address().port}/hook`),
);

/** Your work goes here: make it quick, or put the event into a queue of yours. */
function work({ type, data }) {
  console.log(type, data.task_id);
}
