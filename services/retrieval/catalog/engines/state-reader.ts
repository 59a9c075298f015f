import { unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { PostgresConnection } from '#kit/storage/postgres/pool.ts';
import { stateName } from '../states.ts';
import { createSharedRun } from './shared-run.ts';

/** Reads the current state of tenants. */
export interface StateReader {
  /** Returns the name of the tenant's state, read after the call; `undefined` if the tenant has no catalog. */
  read(tenant: string, signal: AbortSignal): Promise<string | undefined>;
}

/** Longest time of a query. A search must fail rather than answer from a state that may be old. */
const longestReadMs = 2000;

/**
 * Creates the reader. Every search reads the state, so callers share queries: one that comes while a query runs joins the next, with all
 * others that wait, of all tenants. A thousand searches in a millisecond cost two queries.
 */
export function createStateReader(database: PostgresConnection, table: string): StateReader {
  const query = `SELECT tenant, epoch, generation FROM ${table} WHERE tenant = ANY($1)`;
  const toTimeoutError = (ms: number) =>
    unavailable('database', `the catalog's state cannot be read within ${ms} ms: try again when the database is back`);
  let wanted = new Set<string>();
  const run = createSharedRun(async () => {
    const tenants = [...wanted];
    wanted = new Set();
    const found = await within(
      () => database.query<{ tenant: string; epoch: string; generation: number }>(query, [tenants]),
      { timeoutMs: longestReadMs, toTimeoutError },
    );
    return new Map(found.map(({ tenant, epoch, generation }) => [tenant, stateName(epoch, generation)]));
  });
  return {
    async read(tenant, signal) {
      wanted.add(tenant);
      // A query that another caller shares must not end with this one's call.
      const states = await within(run, { signals: [signal] });
      return states.get(tenant);
    },
  };
}
