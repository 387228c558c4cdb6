// npm install express; SECRET=whsec_… PORT=9000 node express.mjs
import express from "express";
import { receive } from "./verify.mjs";

const app = express();

// The raw body, before any express.json().
app.post("/hook", express.raw({ type: "*/*", limit: "512kb" }), (request, response) => {
  response.sendStatus(receive(request.headers, request.body.toString(), work));
});

const server = app.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () =>
  console.log(`http://127.0.0.1:${server.address().port}/hook`),
);

/** Your work goes here: make it quick, or put the event into a queue of yours. */
function work({ type, data }) {
  console.log(type, data.task_id);
}
