// Fails when code or documents use a word of the list below. Each word has a plain replacement that a reader finds by grep.
import { globSync, readFileSync } from "node:fs";

const FILES = ["{src,bench,crash-test,test,docs,examples,published}/**/*.{ts,mjs,md}", "*.{ts,cjs,md}"];

interface Word {
  readonly pattern: RegExp;
  readonly instead: string;
}

const WORDS: readonly Word[] = [
  { pattern: /\b(tells?|telling|told)\b/i, instead: "return, send, record, report, show" },
  { pattern: /\b(owe[sd]?|owing)\b/i, instead: "due, pending, must be sent" },
  {
    pattern: /\b(nobody|somebody|everybody|anybody|whoever|whomever|whom)\b/i,
    instead: "the type: client, principal, task, receiver",
  },
  { pattern: /\b(is|are|was|were) none of\b/i, instead: "does not belong to, is not from" },
  { pattern: /\bof ours\b/i, instead: "this server's, the project's, internal" },
  { pattern: /\bin vain\b/i, instead: "without success, failed" },
  { pattern: /\bin earnest\b/i, instead: "in production" },
  { pattern: /\bin silence\b/i, instead: "without an error, without a notice" },
  { pattern: /\bpatience\b/i, instead: "timeout" },
  { pattern: /\b(comes?|came) upon\b/i, instead: "finds, reads" },
  { pattern: /\b(gives?|gave|given) back\b/i, instead: "release" },
  { pattern: /\bby then\b/i, instead: "until that time" },
  { pattern: /\bfor good\b/i, instead: "permanently" },
  { pattern: /\ball the same\b/i, instead: "nevertheless, still" },
  { pattern: /\blikewise\b/i, instead: "also, or the sentence again" },
  { pattern: /\bas (it|one|he|she|they) likes?\b/i, instead: "at any time, without a limit" },
];

interface Exception {
  readonly file: RegExp;
  /** A part of the line. */
  readonly text: string;
  readonly why: string;
}

const EXCEPTIONS: readonly Exception[] = [
  { file: /^check-words\.ts$/, text: "pattern: /", why: "The list itself." },
  { file: /^check-words\.ts$/, text: "tell me", why: "The next exception." },
  { file: /^docs\/connect\//, text: "tell me", why: "A prompt that a person types." },
];

const unused = new Set(EXCEPTIONS);
const problems = globSync(FILES, { exclude: ["**/node_modules/**"] })
  .toSorted()
  .flatMap(problemsIn);
for (const { file, text } of unused) problems.push(`check-words.ts: no line of ${file} needs the exception "${text}"`);
if (problems.length > 0) {
  console.error(`${problems.join("\n")}\nUse the plain word, or add an exception with its reason to check-words.ts.`);
  process.exitCode = 1;
}

function problemsIn(file: string): readonly string[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, index) =>
      wordsIn(line)
        .filter(() => !isExcepted(file, line))
        .map(({ found, instead }) => `${file}:${index + 1}: "${found}" (instead: ${instead}): ${line.trim()}`),
    );
}

function wordsIn(line: string): readonly { readonly found: string; readonly instead: string }[] {
  return WORDS.flatMap(({ pattern, instead }) => {
    const found = pattern.exec(line)?.[0];
    return found === undefined ? [] : [{ found, instead }];
  });
}

function isExcepted(file: string, line: string): boolean {
  const exception = EXCEPTIONS.find((one) => one.file.test(file) && line.includes(one.text));
  if (exception !== undefined) unused.delete(exception);
  return exception !== undefined;
}
