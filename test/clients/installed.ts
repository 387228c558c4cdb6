/** Which of the packages that the rows need are there. This folder's are installed apart from the project's own. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version: string } | undefined>>;
}

export const HOW_TO_INSTALL = "npm ci --prefix test/clients";
const folder = new URL("./", import.meta.url);
const project = new URL("../../", import.meta.url);

/** Set where every row must run, as in CI: what is not installed is then an error. */
const REQUIRED = process.env["CLIENTS_REQUIRED"] === "1";

export interface Installed {
  readonly skipped: boolean;
  /** Throws where it must be there and is not. */
  readonly require: () => void;
}

/** For `describe.each`: the name with the version, and for what is passed over also why. */
export function titled<Item extends { readonly package: string }>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
) {
  return items.map((item): readonly [title: string, item: Item, installed: Installed] => {
    const { version, missing } = lookUp(item.package);
    const skipped = missing !== null && !REQUIRED;
    const require = (): void => {
      if (missing !== null) throw new Error(`${item.package}: ${missing}`);
    };
    return [`${nameOf(item)} ${version}${skipped ? ` (${missing})` : ""}`, item, { skipped, require }];
  });
}

/** The pinned version, and why the package cannot be used, if it cannot. What is not installed here may be among the project's own. */
function lookUp(name: string): { readonly version: string; readonly missing: string | null } {
  const pins = [folder, project].flatMap((home) => {
    const version = lockedIn(home, name);
    return version === null ? [] : [{ version, found: installedIn(home, name), home }];
  });
  const usable = pins.find(({ version, found }) => version === found);
  if (usable !== undefined) return { version: usable.version, missing: null };
  const [pin] = pins;
  if (pin === undefined) throw new Error(`No lockfile has ${name}`);
  const what = pin.found === null ? "not installed" : `${pin.found} is installed`;
  return { version: pin.version, missing: `${what}: ${pin.home === folder ? HOW_TO_INSTALL : "npm ci"}` };
}

/** Its entry, as a file of this folder finds it. */
export function placeOf(name: string): string {
  return createRequire(import.meta.url).resolve(name);
}

function lockedIn(home: URL, name: string): string | null {
  const { packages } = JSON.parse(readFileSync(new URL("package-lock.json", home), "utf8")) as Lockfile;
  return packages[`node_modules/${name}`]?.version ?? null;
}

function installedIn(home: URL, name: string): string | null {
  const manifest = fileURLToPath(new URL(`node_modules/${name}/package.json`, home));
  return existsSync(manifest) ? (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version : null;
}
