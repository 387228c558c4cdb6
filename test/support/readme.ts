/** The project's documents as data, so that tests can hold them against the code. */
import { readdirSync, readFileSync } from "node:fs";

export interface Block {
  /** What stands after the fence: sh, json, text, js, http. */
  readonly language: string;
  readonly text: string;
}

export function readDocument(name: string): string {
  return readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
}

/** The documents in a folder and in those below it, by their paths within the project. */
export function documentsUnder(folder: string): readonly string[] {
  const paths = readdirSync(new URL(`../../${folder}/`, import.meta.url), { recursive: true, encoding: "utf8" });
  return paths.filter((path) => path.endsWith(".md")).map((path) => `${folder}/${path}`);
}

/** What stands under a heading of any level, up to the next heading of that level or a higher one. */
export function sectionOf(document: string, title: string): string {
  const plain = document.replaceAll(/^```[^]*?^```/gm, (block) => block.replaceAll(/^#/gm, "·"));
  const heading = [...plain.matchAll(/^(#+) (.*)$/gm)].find(([, , text]) => text === title);
  if (heading === undefined) throw new Error(`No heading says "${title}"`);
  const [line, marks = ""] = heading;
  const start = heading.index + line.length;
  const end = plain.slice(start).search(new RegExp(`^#{1,${marks.length}} `, "m"));
  return document.slice(start, end === -1 ? undefined : start + end);
}

/** The fenced blocks, in order. */
export function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language = "", text = ""]) => ({
    language,
    text,
  }));
}

/** The one block of this language whose text has `part` in it. */
export function blockWith(markdown: string, language: string, part: string): string {
  const found = blocksOf(markdown).filter((block) => block.language === language && block.text.includes(part));
  if (found.length !== 1) throw new Error(`${found.length} ${language} blocks, not one, have "${part}" in them`);
  return found[0]!.text;
}

/** The cells of the first table, row by row, without its head. */
export function tableOf(markdown: string): readonly (readonly string[])[] {
  const lines = markdown.split("\n");
  const rule = lines.findIndex((line) => /^\|(-+\|)+$/.test(line));
  const rows = lines.slice(rule + 1);
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(0, end === -1 ? undefined : end).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** Everything that `stands in backticks`. */
export function quotedIn(markdown: string): readonly string[] {
  return [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, text = ""]) => text);
}

/** The same text for two runs that differ only in times, places, ids, secrets and signatures. */
export function normalised(text: string): string {
  return text
    .replaceAll(/\b(cb|evt|dlv)_[0-9a-z]{26}\b/g, "$1_…")
    .replaceAll(/\bsub_[0-9a-f]{32}\b/g, "sub_…")
    .replaceAll(/\bevc_[\w-]+/g, "evc_…")
    .replaceAll(/whsec_[A-Za-z0-9+/]{43}=/g, "whsec_…")
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<time>")
    .replaceAll(/("duration_ms":\s*)\d+/g, "$1 0")
    .replaceAll(/^(webhook-timestamp: )\d{10}$/gm, "$1…")
    .replaceAll(/v1,[A-Za-z0-9+/]{43}=/g, "v1,…");
}
