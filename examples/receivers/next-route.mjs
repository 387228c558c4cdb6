// A route of Next.js: copy it to app/hook/route.js, and verify.mjs beside it. SECRET is an environment variable.
import { receive } from "./verify.mjs";

export async function POST(request) {
  const status = receive(Object.fromEntries(request.headers), await request.text(), work);
  return new Response(null, { status });
}

/** Your work goes here: make it quick, or put the event into a queue of yours. */
function work({ type, data }) {
  console.log(type, data.task_id);
}
