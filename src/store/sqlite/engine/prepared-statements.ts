/**
 * Drizzle with compiled statements: the conversion of parameters and rows is worked out once for each statement. Drizzle itself determines
 * at each run, for each value, what kind of column it belongs to, which takes longer than a short statement.
 */
import type Database from "better-sqlite3";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type * as Driver from "drizzle-orm/better-sqlite3";
import { BetterSQLite3Database, BetterSQLiteSession } from "./drizzle.ts";
import { DeferredDialect } from "./deferred-dialect.ts";
import { Column, is, noopDecoder, noopEncoder, Param, Placeholder, SQL } from "./drizzle.ts";

type NoSchema = Record<string, never>;
type PrepareArgs = Parameters<Driver.BetterSQLiteSession<NoSchema, NoSchema>["prepareQuery"]>;
type Field = NonNullable<PrepareArgs[1]>[number];
type Values = Readonly<Record<string, unknown>>;
type Row = Record<string, unknown>;

export type PreparedDatabase = Driver.BetterSQLite3Database & { readonly $client: Database.Database };

/** As `drizzle({ client })`, with statements that are compiled on their first use. An outer join is not supported and throws when it is prepared; a relational query throws on its first use. */
export function createDatabase(client: Database.Database, onError: OnError = () => {}): PreparedDatabase {
  const dialect = new DeferredDialect();
  const session = new PreparedSession(client, dialect, undefined);
  session.onError = onError;
  return Object.assign(new BetterSQLite3Database("sync", dialect, session, undefined), { $client: client });
}

/** Gets what a statement throws. */
type OnError = (error: unknown) => void;

interface CompiledStatement {
  run(values?: Values): Database.RunResult;
  get(values?: Values): Row | undefined;
  all(values?: Values): Row[];
}

/** Compiled on its first use. */
export interface PreparedStatement extends CompiledStatement {
  /** Compiles it now. Throws what SQLite finds wrong with it. */
  compile(): void;
}

export class PreparedSession extends BetterSQLiteSession<NoSchema, NoSchema> {
  onError: OnError = () => {};

  override prepareQuery<T extends never>(...args: PrepareArgs) {
    const statement = onFirstUse(
      () => compile(this["client"], args),
      (error) => this.onError(error),
    );
    requireInnerJoins(statement, args[0]);
    // Drizzle's type has more methods. The store uses these only.
    return statement as PreparedStatement & ReturnType<typeof this.prepareOneTimeQuery<T>>;
  }

  /** Runs once, so compiling the conversions would not pay. */
  override prepareOneTimeQuery<T extends never>(...args: PrepareArgs) {
    return super.prepareQuery<T>(...args);
  }
}

function onFirstUse(compileNow: () => CompiledStatement, onError: OnError): PreparedStatement {
  let compiled: CompiledStatement | null = null;
  const ready = (): CompiledStatement => (compiled ??= compileNow());
  const failed = (error: unknown): never => {
    onError(error);
    throw error;
  };
  return {
    run(values) {
      try {
        return ready().run(values);
      } catch (error) {
        return failed(error);
      }
    },
    get(values) {
      try {
        return ready().get(values);
      } catch (error) {
        return failed(error);
      }
    },
    all(values) {
      try {
        return ready().all(values);
      } catch (error) {
        return failed(error);
      }
    },
    compile: () => void ready(),
  };
}

/** Drizzle sets this property after preparing a query: for each table, whether it has a row in every result. */
function requireInnerJoins(statement: object, query: { readonly sql: string }): void {
  Object.defineProperty(statement, "joinsNotNullableMap", {
    set(tables: Readonly<Record<string, boolean>> = {}) {
      if (Object.values(tables).includes(false)) throw new Error(`Not supported: an outer join (${query.sql})`);
    },
  });
}

function compile(client: Database.Database, [query, fields, , , customMapper]: PrepareArgs): CompiledStatement {
  if (customMapper !== undefined) throw new Error(`Not supported: a relational query (${query.sql})`);
  const statement = client.prepare(query.sql);
  const bind = compileParameters(query.params);
  const toObject = compileRow(fields ?? []);
  if (fields !== undefined) statement.raw();
  return {
    run: (values = {}) => statement.run(...bind(values)),
    get(values = {}) {
      const row = statement.get(...bind(values)) as unknown[] | undefined;
      return row === undefined ? undefined : toObject(row);
    },
    all: (values = {}) => (statement.all(...bind(values)) as unknown[][]).map(toObject),
  };
}

/** A parameter is a value that is the same at each run, or the value given under a name. */
function compileParameters(parameters: readonly unknown[]): (values: Values) => unknown[] {
  const compiled = parameters.map(parameterOf);
  return (values) => {
    const bound: unknown[] = [];
    for (const { name, fixed, encode } of compiled) {
      const value = name === null ? fixed : values[name];
      if (value === undefined && name !== null && !(name in values)) throw new Error(`No value for parameter ${name}`);
      bound.push(encode === null ? value : encode(value));
    }
    return bound;
  };
}

function parameterOf(parameter: unknown) {
  if (is(parameter, Placeholder)) return { name: parameter.name, fixed: null, encode: null };
  if (!is(parameter, Param) || !is(parameter.value, Placeholder)) return { name: null, fixed: parameter, encode: null };
  const { encoder } = parameter;
  const encode = isIdentity(encoder.mapToDriverValue) ? null : (value: unknown) => encoder.mapToDriverValue(value);
  return { name: parameter.value.name, fixed: null, encode };
}

/** Makes an object of a row's values, which come in the order of the statement's columns. Columns of a group become an object in it. */
function compileRow(fields: readonly Field[]): (row: readonly unknown[]) => Row {
  const columns = fields.map((field, index) => ({ ...placeOf(field), index, decode: decoderOf(field) }));
  return (row) => {
    const object: Row = {};
    for (const { group, name, index, decode } of columns) {
      const raw = row[index];
      const value = raw === null || decode === null ? raw : decode(raw);
      if (group === null) object[name] = value;
      else ((object[group] ??= {}) as Row)[name] = value;
    }
    return object;
  };
}

function placeOf({ path }: Field): { readonly group: string | null; readonly name: string } {
  const [first = "", second, ...more] = path;
  if (more.length > 0) throw new Error(`Not supported: a group in a group (${path.join(".")})`);
  return second === undefined ? { group: null, name: first } : { group: first, name: second };
}

/** Null: SQLite's value is used as it is. */
function decoderOf({ field }: Field): ((raw: unknown) => unknown) | null {
  const decoder = is(field, Column) ? field : decoderOfExpression(field);
  return isIdentity(decoder.mapFromDriverValue) ? null : (raw) => decoder.mapFromDriverValue(raw);
}

interface Decoder {
  mapFromDriverValue(raw: unknown): unknown;
}

/** Drizzle's types do not have the decoder of an expression. */
function decoderOfExpression(field: Exclude<Field["field"], SQLiteColumn>): Decoder {
  const expression = is(field, SQL) ? field : is(field, SQL.Aliased) ? field.sql : null;
  if (expression === null) throw new Error("Not supported: a subquery among the columns");
  return (expression as unknown as { readonly decoder: Decoder }).decoder;
}

/** Most columns, and expressions without a type, have conversions that return their argument. */
const IDENTITY: ReadonlySet<unknown> = new Set([
  Column.prototype.mapToDriverValue,
  Column.prototype.mapFromDriverValue,
  noopEncoder.mapToDriverValue,
  noopDecoder.mapFromDriverValue,
]);

function isIdentity(convert: unknown): boolean {
  return IDENTITY.has(convert);
}
