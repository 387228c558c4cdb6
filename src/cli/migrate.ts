import { migrate as migrateStore } from "../app/store.ts";
import { readConfig } from "../config/load.ts";

/** Applies pending migrations. */
export async function migrate(): Promise<void> {
  await migrateStore(await readConfig(process.env, process.stdout.isTTY));
  process.stdout.write("The database is at the newest schema.\n");
}
