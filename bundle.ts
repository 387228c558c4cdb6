// The bundle, in `<out>/dist`, and what it looks for beside that folder: the migrations and a manifest.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname } from "node:path";
import { build } from "esbuild";
import type { Plugin } from "esbuild";

export interface BundleOptions {
  /** The folder; what was in it is removed. */
  readonly out: string;
  readonly manifest: object;
}

export async function bundle({ out, manifest }: BundleOptions): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await build({
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
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // It brings its own native binary.
    external: ["better-sqlite3"],
    // Bundled CommonJS modules call require for Node's own.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    legalComments: "linked",
    plugins: [
      nodeAsNeeded(),
      zodOfModules(),
      drizzleAsModules(),
      undiciAsNeeded(),
      honoWhenCalled(),
      mediaTypesAsNeeded(),
      zodInEnglish(),
    ],
  });
  cpSync(`${import.meta.dirname}/migrations`, `${out}/migrations`, { recursive: true });
  writeFileSync(`${out}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * An `import` of Node's own modules asks for all that they export, and makes node:http load a `fetch` that nobody uses. Cryptography is
 * loaded when it is first called: no start needs it before the port is open.
 */
function nodeAsNeeded(): Plugin {
  return {
    name: "node-as-needed",
    setup(bundler) {
      // For each importer anew: what they shared would become files of their own, each of which takes a start a millisecond to find.
      bundler.onResolve({ filter: /^(node:)?[a-z0-9_/]+$/ }, ({ path, kind, importer }) =>
        kind === "import-statement" && isBuiltin(path)
          ? { path, suffix: `?${importer}`, namespace: "node-as-needed" }
          : null,
      );
      bundler.onLoad({ filter: /./, namespace: "node-as-needed" }, async ({ path }) => {
        const { default: _, ...names } = (await import(path)) as Record<string, unknown>;
        const name = JSON.stringify(path);
        // What nobody imports by name is left out, and then not asked for.
        const exports = Object.keys(names).map((key) =>
          path === "node:crypto" && isPlainFunction(key, names[key])
            ? `export const ${key} = (...given) => named("${key}")(...given);`
            : `export const ${key} = /* @__PURE__ */ named("${key}");`,
        );
        return {
          contents: `const named = (key) => process.getBuiltinModule(${name})[key];
            export default /* @__PURE__ */ process.getBuiltinModule(${name});
            ${exports.join("\n")}`,
        };
      });
    },
  };
}

/** One that may be called by another: no class, such as X509Certificate. */
function isPlainFunction(name: string, value: unknown): boolean {
  return typeof value === "function" && /^[a-z]/.test(name);
}

/** Task modules make their schemas with the zod that is installed, so what reads them takes it too. All else has its own in the bundle. */
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

/** In the bundle nothing is looked up at the start, so drizzle.ts need not be clever there, and only what is used gets in. */
function drizzleAsModules(): Plugin {
  const modules = ["", "/sqlite-core", "/better-sqlite3"].map((path) => `export * from "drizzle-orm${path}";`);
  const migrate =
    'export const migrate = (...given) => require("drizzle-orm/better-sqlite3/migrator").migrate(...given);';
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

/** undici's index runs all of it, from WebSockets to mocks. Deliveries need these; whatever else they import fails the build. */
function undiciAsNeeded(): Plugin {
  const files = {
    Agent: "dispatcher/agent",
    Pool: "dispatcher/pool",
    buildConnector: "core/connect",
    errors: "core/errors",
  };
  return {
    name: "undici-as-needed",
    setup(bundler) {
      bundler.onResolve({ filter: /^undici$/ }, ({ path, importer }) =>
        importer.includes("/src/outbound/") ? { path, namespace: "undici-as-needed" } : null,
      );
      bundler.onLoad({ filter: /./, namespace: "undici-as-needed" }, () => ({
        contents: Object.entries(files)
          .map(([name, file]) => `export { default as ${name} } from "undici/lib/${file}.js";`)
          .join("\n"),
        resolveDir: import.meta.dirname,
      }));
      // Deliveries speak HTTP/1.1 only, and node:http2 is a large module.
      bundler.onResolve({ filter: /^\.\/client-h2\.js$/ }, ({ path }) => ({ path, namespace: "undici-when-called" }));
      bundler.onLoad({ filter: /./, namespace: "undici-when-called" }, ({ path }) => ({
        contents: `module.exports = (...given) => require("undici/lib/dispatcher/${path.slice(2)}")(...given);`,
        resolveDir: import.meta.dirname,
      }));
    },
  };
}

/** Only a transport of the SDK's that we do not use calls it. Loading it makes Node load its `fetch`, before the first tool call. */
function honoWhenCalled(): Plugin {
  return {
    name: "hono-when-called",
    setup(bundler) {
      bundler.onResolve({ filter: /^@hono\/node-server$/ }, ({ path, kind, resolveDir }) =>
        kind === "import-statement" ? { path, namespace: "hono-when-called", pluginData: resolveDir } : null,
      );
      bundler.onLoad({ filter: /./, namespace: "hono-when-called" }, ({ path, pluginData }) => ({
        contents: `export const getRequestListener = (...given) => require("${path}").getRequestListener(...given);`,
        resolveDir: pluginData as string,
      }));
    },
  };
}

/** Koa brings two tables of all media types there are. We read and answer with these. */
function mediaTypesAsNeeded(): Plugin {
  const types = ["application/json", "application/octet-stream", "text/html", "text/plain"];
  return {
    name: "media-types-as-needed",
    setup(bundler) {
      bundler.onLoad({ filter: /\/mime-db\/db\.json$/ }, ({ path }) => {
        const table = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
        return {
          contents: JSON.stringify(Object.fromEntries(types.map((type) => [type, table[type]]))),
          loader: "json",
        };
      });
    },
  };
}

/** zod brings its messages in dozens of languages. */
function zodInEnglish(): Plugin {
  return {
    name: "zod-in-english",
    setup(bundler) {
      bundler.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
        contents: 'export { default as en } from "./en.js";',
        resolveDir: dirname(createRequire(import.meta.url).resolve("zod/v4/locales")),
      }));
    },
  };
}
