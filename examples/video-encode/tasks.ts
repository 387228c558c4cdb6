// A video-encode-like task type: long, cancellable, with progress. It encodes nothing, it only takes as long as one that does.
//
//   TASKS_MODULE=examples/video-encode/tasks.ts npm start
//
// Then call start_task_with_callbacks with
//   { "task_id": "film_1", "client_id": "me", "task_type": "video/encode", "input": { "source": "metropolis.mov", "seconds": 20 } }
import { setTimeout as sleep } from "node:timers/promises";
import { defineTask, PermanentError } from "mcp-callbacks/tasks";
import { z } from "zod";

const FRAMES_PER_SECOND = 25;
const FRAME_MS = 20;

export const encode = defineTask({
  name: "video/encode",
  title: "Encode a video",
  description: "Encodes a film for streaming. Takes about half as long as the film.",
  input: z.object({
    source: z.string().describe("The file to encode."),
    seconds: z.number().min(0).max(10_000).describe("How long the film is."),
    format: z.enum(["mp4", "webm"]).default("mp4"),
  }),
  output: z.object({ file: z.string(), frames: z.int() }),
  retries: 3,
  concurrency: 2,
  timeoutMs: 3_600_000,
  async run({ source, seconds, format }, { signal, progress, log }) {
    if (!/\.(mov|avi|mkv)$/.test(source)) throw new PermanentError(`${source} is no film.`);
    const frames = Math.round(seconds * FRAMES_PER_SECOND);
    log.info(`encoding ${frames} frames of ${source}`);
    for (let frame = 1; frame <= frames; frame++) {
      // Throws when the task is cancelled or the server stops: a real encoder would be killed here.
      await sleep(FRAME_MS, undefined, { signal });
      progress(frame, frames, `frame ${frame}`);
    }
    return { file: source.replace(/\.\w+$/, `.${format}`), frames };
  },
});
