import { SETTINGS } from "../config/settings.ts";

const USAGE = `mcp-callbacks: the MCP server that calls back

Usage: mcp-callbacks [command] [options]

  serve               apply pending migrations, then listen (the default)
  migrate             apply pending migrations only
  call <tool> <json>  call a tool of a running server, and print the answer

  --host <address>    where to listen (HOST)
  --port <number>     the port to listen on (PORT); 0 picks a free one
  --db <path or URL>  the database (DATABASE_URL)
  --server <URL>      for call: the server (MCP_CALLBACKS_URL); default http://localhost:8011
  --json              for call: print the answer as one line of JSON
  -h, --help          this text
  -v, --version       the version

call sends MCP_CALLBACKS_TOKEN as its bearer token, if it is set.

Settings are environment variables. An option wins over its variable.`;

/** The text of `--help`: the commands, and every setting by group with its default. */
export function help(): string {
  const groups = Map.groupBy(Object.entries(SETTINGS), ([, { group }]) => group);
  const sections = [...groups].map(([group, settings]) => `${group}\n${settings.map(lineOf).join("\n")}`);
  return [USAGE, ...sections].join("\n\n");
}

const NAME_WIDTH = Math.max(...Object.keys(SETTINGS).map((name) => name.length));

function lineOf([name, { help: text, shownDefault }]: [string, { help: string; shownDefault: string }]): string {
  return `  ${name.padEnd(NAME_WIDTH)}  ${text} [${shownDefault}]`;
}
