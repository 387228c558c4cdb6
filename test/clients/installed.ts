/** Which of the packages that the rows need are there. This folder's are installed apart from the project's own. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version: string } | undefined>>;
}

export const HOW_TO_INSTALL = "npm ci --prefix test/clients";
const folder = homeAt("./");
const project = homeAt("../../");

/** Set where every row must run, as in CI: what is not installed is then an error. */
const REQUIRED = process.env["CLIENTS_REQUIRED"] === "1";

export interface Installed {
  readonly version: string;
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
    return [`${nameOf(item)} ${version}${skipped ? ` (${missing})` : ""}`, item, { version, skipped, require }];
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

/** A folder with a lockfile. */
interface Home {
  readonly url: URL;
  readonly locked: Lockfile["packages"];
}

function homeAt(path: string): Home {
  const url = new URL(path, import.meta.url);
  return { url, locked: (JSON.parse(readFileSync(new URL("package-lock.json", url), "utf8")) as Lockfile).packages };
}

function lockedIn({ locked }: Home, name: string): string | null {
  return locked[`node_modules/${name}`]?.version ?? null;
}

function installedIn({ url }: Home, name: string): string | null {
  const manifest = new URL(`node_modules/${name}/package.json`, url);
  return existsSync(manifest) ? (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version : null;
}
