/** The licences of the packages that are bundled, for THIRD-PARTY-NOTICES. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Notice {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** The text of its licence file; null: it has none. */
  readonly text: string | null;
}

/** `inputs`: the bundled files, by their paths within `root`. Throws when a package names no licence. */
export function thirdPartyNotices(
  root: string,
  inputs: readonly string[],
): { readonly text: string; readonly count: number } {
  const folders = new Set(inputs.flatMap(packageFolderOf));
  const notices = [...folders].map((folder) => noticeOf(join(root, folder)));
  const unique = new Map(notices.map((notice) => [`${notice.name}@${notice.version}`, notice]));
  const sorted = [...unique.values()].toSorted((one, other) => one.name.localeCompare(other.name, "en"));
  // The text of this licence is the same for all.
  const apache = sorted.find(({ licence, text }) => licence === "Apache-2.0" && text !== null)?.text;
  const sections = sorted.map(({ name, version, licence, text }) => {
    const rule = "=".repeat(80);
    const without = `The package has no licence file; its manifest says ${licence}.`;
    const said = text ?? (licence === "Apache-2.0" && apache ? `${without}\n\n${apache}` : without);
    return `${rule}\n${name} ${version} (${licence})\n${rule}\n\n${said}\n`;
  });
  return { text: `The files in dist/ hold code of these packages.\n\n${sections.join("\n")}`, count: sorted.length };
}

/** `node_modules/a/node_modules/@b/c` of `node_modules/a/node_modules/@b/c/dist/index.js`; nothing for a file of the project. */
function packageFolderOf(input: string): readonly string[] {
  const found = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input);
  return found === null ? [] : [found[0]];
}

function noticeOf(folder: string): Notice {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  if (license === undefined) throw new Error(`The package ${name} in ${folder} names no licence`);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const texts = files.toSorted().map((file) => readFileSync(join(folder, file), "utf8").trim());
  return { name, version, licence: license, text: texts.length === 0 ? null : texts.join("\n\n") };
}
