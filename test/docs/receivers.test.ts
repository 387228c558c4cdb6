/** The receivers of docs/receivers.md: each language that the machine has verifies a real delivery, and refuses what is not genuine. */
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, register, start } from "../support/call-tool.ts";
import { runProgram } from "../support/examples.ts";
import { blockWith, readDocument } from "../support/readme.ts";
import { receiverWith } from "../support/sender.ts";
import { shareServer, startServer } from "../support/server.ts";
import { HANG_MS, until } from "../support/until.ts";

const page = readDocument("docs/receivers.md");
const run = promisify(execFile);
const has = (command: string): boolean => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
const shared = shareServer();

interface Message {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly body: string;
}

/** Each reads lines of five base64 texts (id, timestamp, signature, body, secret) and prints true or false for each. */
const LANGUAGES = [
  { language: "js", command: process.execPath, files: javaScriptFiles, args: ["main.mjs"] },
  { language: "python", command: "python3", files: pythonFiles, args: ["main.py"] },
  { language: "java", command: "java", files: javaFiles, args: ["Main.java"] },
  { language: "go", command: "go", files: goFiles, args: ["run", "."] },
  { language: "php", command: "php", files: phpFiles, args: ["main.php"] },
];

describe.each(LANGUAGES)("the function in $language", ({ command, files, args }) => {
  test.skipIf(!has(command))("takes a real delivery, and nothing else", async () => {
    const { message, secret } = await delivered();
    const old = String(Math.floor(Date.now() / 1000) - 301);
    const other = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
    const cases: readonly (readonly [Message, string, boolean])[] = [
      [message, secret, true],
      [{ ...message, signature: `v1,AAAA ${message.signature}` }, secret, true],
      [message, other, false],
      [{ ...message, body: `${message.body} ` }, secret, false],
      [{ ...message, id: "evt_other" }, secret, false],
      [{ ...message, timestamp: old }, secret, false],
      [{ ...message, timestamp: "" }, secret, false],
      [{ ...message, signature: "v1,none v1a," }, secret, false],
      [{ ...message, signature: "" }, secret, false],
    ];
    const folder = temporaryFolder();
    for (const [name, text] of Object.entries(files())) writeFileSync(join(folder, name), text);
    const lines = cases.map(([{ id, timestamp, signature, body }, key]) =>
      [id, timestamp, signature, body, key].map((text) => Buffer.from(text).toString("base64")).join(" "),
    );
    const env = { PATH: process.env["PATH"], HOME: folder, GOFLAGS: "-mod=mod", GOCACHE: join(folder, "cache") };
    writeFileSync(join(folder, "cases.txt"), `${lines.join("\n")}\n`);
    const script = `"${command}" ${args.join(" ")} < cases.txt`;
    const { stdout } = await run("sh", ["-c", script], { cwd: folder, env, timeout: HANG_MS });
    expect(stdout.trim().split("\n")).toEqual(cases.map(([, , isGenuine]) => String(isGenuine)));
  });
});

async function delivered(): Promise<{ readonly message: Message; readonly secret: string }> {
  const server = await shared();
  const receiver = await receiverWith();
  const taskId = `t_${Math.random()}`;
  const { signing_secret: secret } = await register(server.url, taskId, "me", receiver.url);
  await start(server.url, taskId, "me");
  const [request] = await receiver.waitFor(1);
  const header = (name: string): string => String(request!.headers[`webhook-${name}`]);
  const message = { id: header("id"), timestamp: header("timestamp"), signature: header("signature") };
  return { message: { ...message, body: request!.body }, secret: String(secret) };
}

function javaScriptFiles(): Record<string, string> {
  const main = `import { createInterface } from "node:readline";
import { isGenuine } from "./verify.mjs";
for await (const line of createInterface({ input: process.stdin })) {
  const [id, timestamp, signature, body, secret] = line.split(" ").map((text) => Buffer.from(text, "base64").toString());
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
  console.log(isGenuine(headers, body, secret));
}`;
  return { "verify.mjs": blockWith(page, "js", "export function isGenuine("), "main.mjs": main };
}

function pythonFiles(): Record<string, string> {
  const main = `import base64, sys
from verify import is_genuine
for line in sys.stdin:
    id, timestamp, signature, body, secret = [base64.b64decode(text) for text in line.rstrip("\\n").split(" ")]
    headers = {"webhook-id": id.decode(), "webhook-timestamp": timestamp.decode(), "webhook-signature": signature.decode()}
    print(str(is_genuine(headers, body, secret.decode())).lower())
`;
  return { "verify.py": blockWith(page, "python", "def is_genuine"), "main.py": main };
}

function javaFiles(): Record<string, string> {
  const main = `public class Main {
    public static void main(String[] args) throws Exception {
        var lines = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null;) {
            String[] given = line.split(" ", -1);
            byte[][] texts = new byte[5][];
            for (int index = 0; index < 5; index++) texts[index] = Base64.getDecoder().decode(given[index]);
            var headers = Map.of("webhook-id", new String(texts[0]), "webhook-timestamp", new String(texts[1]), "webhook-signature", new String(texts[2]));
            System.out.println(Webhooks.isGenuine(headers, texts[3], new String(texts[4])));
        }
    }
}

`;
  // Of one source file Java runs the first class.
  return { "Main.java": blockWith(page, "java", "class Webhooks").replace("class Webhooks", `${main}class Webhooks`) };
}

function goFiles(): Record<string, string> {
  const main = `package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var texts [5][]byte
		for index, text := range strings.Split(lines.Text(), " ") {
			texts[index], _ = base64.StdEncoding.DecodeString(text)
		}
		headers := http.Header{}
		for index, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			headers.Set(name, string(texts[index]))
		}
		fmt.Println(IsGenuine(headers, texts[3], string(texts[4])))
	}
}
`;
  const verify = blockWith(page, "go", "func IsGenuine").replace("package webhooks", "package main");
  return { "go.mod": "module receiver\n\ngo 1.19\n", "verify.go": verify, "main.go": main };
}

function phpFiles(): Record<string, string> {
  const main = `<?php
require "verify.php";
while (($line = fgets(STDIN)) !== false) {
    [$id, $timestamp, $signature, $body, $secret] = array_map("base64_decode", explode(" ", rtrim($line, "\\n")));
    $headers = ["webhook-id" => $id, "webhook-timestamp" => $timestamp, "webhook-signature" => $signature];
    echo is_genuine($headers, $body, $secret) ? "true" : "false", "\\n";
}
`;
  return { "verify.php": blockWith(page, "php", "function is_genuine"), "main.php": main };
}

test("the receiver with Express takes each event once, and refuses what is not signed", async () => {
  // Within node_modules, so that Express is found.
  const folder = mkdtempSync(fileURLToPath(new URL("../../node_modules/.receiver-", import.meta.url)));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "verify.mjs"), blockWith(page, "js", "export function isGenuine("));
  writeFileSync(join(folder, "receiver.mjs"), blockWith(page, "js", "express.raw"));
  const secret = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
  const receiver = runProgram(join(folder, "receiver.mjs"), { SECRET: secret, PORT: "0" });
  const url = await receiver.waitForLine(/^http:/);

  const server = await startServer();
  const registration = { task_id: "t1", client_id: "me", callback_url: url, secret };
  await callTool(server.url, "register_callback", registration);
  await start(server.url, "t1", "me");
  await server.waitForLine("All callbacks sent for t1");
  await callTool(server.url, "redeliver", { task_id: "t1", status: "delivered" });
  await until("it was sent twice", async () => {
    const { callbacks } = await callTool<{
      callbacks: readonly { deliveries: readonly { attempts: readonly object[] }[] }[];
    }>(server.url, "get_registered_callbacks", { task_id: "t1" });
    const attempts = callbacks[0]!.deliveries[0]!.attempts as readonly { status_code: number | null }[];
    return attempts.length === 2 && attempts.every(({ status_code: status }) => status === 204);
  });
  expect(receiver.lines.slice(1)).toEqual(["task_completed t1"]);
  const forged = await fetch(url, { method: "POST", body: "{}", headers: { "webhook-id": "evt_1" } });
  expect(forged.status).toBe(401);
});
