import { LRUCache } from 'lru-cache';
import { within } from '#kit/base/within.ts';
import { lockKey } from '#kit/storage/postgres/database.ts';
import type { PooledConnection } from '#kit/storage/postgres/pool.ts';
import { toTerm } from '../../../stores/remote/rows.ts';
import { tenantId } from '../../vendors/postgres/conditions.ts';
import { type StoreConnection, storeSchema } from '../../vendors/postgres/connection.ts';
import { fullName } from '../../vendors/postgres/rows.ts';
import { vectorTable } from './schema.ts';

// Graphs (HNSW) of tenants with many rows in a space. Each is an index over the rows of one tenant and space alone, so no row of another one
// is in it or changes its answers, and PostgreSQL keeps it up to date with every change. Smaller tenants need none.

/** Most dimensions that a graph can have; spaces with more are always searched exactly. */
export const maxGraphDimensions = 4000;

/** Links of a row, and candidates for them while the graph is built: twice pgvector's default, because `hashing` vectors are hard. */
const graphOptions = 'm = 16, ef_construction = 128';

/** Time for which the existence of a graph is remembered: another replica may build or drop it. */
const rememberedMs = 60_000;

/** Longest time to build a graph, in milliseconds. */
const longestBuildMs = 6 * 3_600_000;

/** Bounds of the graphs. */
export interface GraphBounds {
  /** Rows of a tenant in a space from which on it has a graph. It is dropped below half of them. */
  fromRows: number;
  /** Memory of PostgreSQL while it builds a graph, in MB. */
  buildMemoryMb: number;
}

/** The graphs of all tenants. */
export interface Graphs {
  /** Returns whether a tenant has a graph in a space. */
  has(tenant: string, space: string, signal: AbortSignal): Promise<boolean>;
  /** Builds the graphs that a tenant needs, and drops those that it does not. Returns early if `signal` aborts. */
  maintain(tenant: string, signal: AbortSignal): Promise<void>;
}

/** Creates the graphs over a connection. */
export function createGraphs({ pool, read }: StoreConnection, { fromRows, buildMemoryMb }: GraphBounds): Graphs {
  const known = new LRUCache<string, boolean>({ max: 10_000, ttl: rememberedMs });

  const isValid = async (name: string, signal: AbortSignal): Promise<boolean | undefined> => {
    const sql = 'SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1)';
    const [index] = await read((connection) => connection.query<{ valid: boolean }>(sql, [fullName(name)]), signal);
    return index?.valid;
  };
  const change = async (name: string, statement: string | undefined): Promise<void> => {
    await onOwnConnection(
      () => pool.connect(),
      async (run) => {
        const [lock] = await run('SELECT pg_try_advisory_lock($1) AS held', [lockKey('graph', name)]);
        if (lock?.held !== true) return;
        const [index] = await run('SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1)', [
          fullName(name),
        ]);
        // Another replica has built it meanwhile.
        if (statement !== undefined && index?.valid === true) return;
        await run(`SET statement_timeout = 0; SET maintenance_work_mem = '${buildMemoryMb}MB'`);
        // Also removes what an interrupted build has left.
        await run(`DROP INDEX CONCURRENTLY IF EXISTS ${fullName(name)}`);
        if (statement === undefined) return;
        await run(statement);
        // Without statistics, PostgreSQL may prefer to compare all rows.
        await run(`ANALYZE ${fullName(vectorTable)}`);
      },
    );
    known.delete(name);
  };

  return {
    async has(tenant, space, signal) {
      const name = graphName(tenant, space);
      const remembered = known.get(name);
      if (remembered !== undefined) return remembered;
      const found = (await isValid(name, signal)) === true;
      known.set(name, found);
      return found;
    },
    async maintain(tenant, signal) {
      const sql = `SELECT space, count(*) AS count, max(vector_dims(embedding)) AS dimensions
        FROM ${fullName(vectorTable)} WHERE tenant = $1::uuid AND space IS NOT NULL GROUP BY space`;
      const spaces = await read((connection) => connection.query<SpaceSize>(sql, [tenantId(tenant)]), signal);
      for (const { space, count, dimensions } of spaces) {
        if (signal.aborted) return;
        const name = graphName(tenant, space.replaceAll('-', ''));
        const valid = await isValid(name, signal);
        const isWanted = count >= fromRows && dimensions <= maxGraphDimensions;
        let work: Promise<void> | undefined;
        if (isWanted && valid !== true) work = change(name, createStatement(name, tenant, space, dimensions));
        else if (valid !== undefined && count < fromRows / 2) work = change(name, undefined);
        if (work === undefined) continue;
        // PostgreSQL finishes a build that no one waits for any more.
        await within(() => work, { signals: [signal] });
      }
    },
  };
}

interface SpaceSize {
  space: string;
  count: number;
  dimensions: number;
}

const graphName = (tenant: string, space: string) => `graph_${toTerm(tenant, space)}`;

function createStatement(name: string, tenant: string, space: string, dimensions: number): string {
  // Without CONCURRENTLY, no tenant could write until the graph is built. Half precision halves the graph; hits get exact scores.
  return `CREATE INDEX CONCURRENTLY ${name} ON ${storeSchema}.${vectorTable}
    USING hnsw ((embedding::halfvec(${dimensions})) halfvec_ip_ops) WITH (${graphOptions})
    WHERE tenant = '${tenantId(tenant)}' AND space = '${space}'`;
}

type Run = (text: string, values?: readonly unknown[]) => Promise<{ held?: boolean; valid?: boolean }[]>;

// Settings and the lock are those of a session, so the connection is ended afterwards.
async function onOwnConnection(connect: () => Promise<PooledConnection>, work: (run: Run) => Promise<void>) {
  const connection = await connect();
  try {
    await work(async (text, values = []) => (await connection.query(text, values, longestBuildMs)).rows);
  } finally {
    connection.release(true);
  }
}
