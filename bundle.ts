// Makes the bundle in `<out>/dist`, and next to it the files that it reads: the migrations and a manifest.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import type { Plugin } from "esbuild";

export interface BundleOptions {
  /** The folder. Its old content is removed. */
  readonly out: string;
  readonly manifest: object;
}

/** Returns the files whose code is in it, by their paths within the project. */
export async function bundle({ out, manifest }: BundleOptions): Promise<readonly string[]> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const { metafile } = await build({
    // The command line imports the rest dynamically: with splitting it stays a small guard that an old Node can read.
    entryPoints: {
      cli: "src/cli/main.ts",
      app: "src/app/app.ts",
      tasks: "src/tasks/modules/define-task.ts",
      "watchdog-thread": "src/tasks/runner/watchdog-thread.ts",
    },
    absWorkingDir: import.meta.dirname,
    outdir: `${out}/dist`,
    bundle: true,
    metafile: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // It has a native binary.
    external: ["better-sqlite3"],
    // Bundled CommonJS modules call require for the modules of Node.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    legalComments: "linked",
    plugins: [zodOfModules(), drizzleAsModules()],
  });
  cpSync(`${import.meta.dirname}/migrations`, `${out}/migrations`, {
    recursive: true,
    // Only drizzle-kit reads the snapshots.
    filter: (path) => !path.endsWith("_snapshot.json"),
  });
  writeFileSync(`${out}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  const parts = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
  return parts.flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : []));
}

/** Task modules make their schemas with the installed zod, so the code that reads these schemas uses it too. All other code uses the zod in the bundle. */
function zodOfModules(): Plugin {
  return {
    name: "zod-of-modules",
    setup(bundler) {
      bundler.onResolve({ filter: /^zod$/ }, ({ path, importer }) =>
        importer.includes("/tasks/modules/") ? { path, external: true } : null,
      );
    },
  };
}

/** Replaces engine/drizzle.ts by ES modules: a bundle does not look up files at the start, and it contains only the code that is used. */
function drizzleAsModules(): Plugin {
  const modules = ["", "/sqlite-core", "/better-sqlite3"].map((path) => `export * from "drizzle-orm${path}";`);
  const migrate =
    'export const migrate = (...args) => require("drizzle-orm/better-sqlite3/migrator").migrate(...args);';
  return {
    name: "drizzle-as-modules",
    setup(bundler) {
      bundler.onLoad({ filter: /store\/sqlite\/engine\/drizzle\.ts$/ }, () => ({
        contents: [...modules, migrate].join("\n"),
        resolveDir: import.meta.dirname,
      }));
    },
  };
}
