import { createRequire } from 'node:module';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Row, Statement } from '#kit/storage/sqlite/protocol.ts';
import type { SnapshotTarget } from '../../../snapshots/registry.ts';
import { type AddedRows, createSnapshots, type Snapshots } from '../../../snapshots/snapshots.ts';
import type { EmbeddedStoreDeps } from '../../../sqlite/embedded-store.ts';
import { createImageRecords } from '../../../sqlite/image-records.ts';
import {
  changeStatements,
  countStatement,
  filterCondition,
  keysStatement,
  oneOf,
  type RowIndex,
  storeMigrations,
  tablesSchema,
} from '../../../sqlite/rows.ts';
import { createTenantFiles, type TenantFiles } from '../../../sqlite/tenant-files.ts';
import { type Change, type Hit, mergeHits } from '../../../stores/index-row.ts';
import { isZeroVector } from '../../../stores/unit-vector.ts';
import type { VectorQuery, VectorRow, VectorSpace, VectorStore } from '../../../stores/vector-store.ts';
import { anyRow, createVectorTables, findTable, type VectorTable } from './tables.ts';

// Exact search: in memory, and by sqlite-vec while a corpus is not there.

export const adapter = defineAdapter<VectorStore, EmbeddedStoreDeps, Record<string, never>>({
  settings: {},
  create(_settings, { folder, threads, clock, snapshots = createSnapshots(0) }) {
    const extension = (createRequire(import.meta.url)('sqlite-vec') as { getLoadablePath(): string }).getLoadablePath();
    const migrations = storeMigrations(tablesSchema);
    const files = createTenantFiles({ folder, name: 'vector store', threads, migrations, extensions: [extension] });
    const tables = createVectorTables(files);
    const targetOf = (tenant: string, table: VectorTable): SnapshotTarget => {
      const vectors = { table: table.name, dimensions: table.dimensions };
      const source = { path: files.path(tenant), extensions: [extension], corpusId: table.corpusId, vectors };
      return { tenant, space: spaceOf(table), source };
    };
    snapshots.start(targetsOf(), createImageRecords(files, false), ({ tenant }) => {
      if (clock !== undefined) void files.noteUse(tenant, clock());
    });
    async function* targetsOf() {
      for (const tenant of await files.list()) {
        for (const table of await tables.list(tenant)) yield targetOf(tenant, table);
      }
    }
    /** Returns the tables of a corpus, and the one for the vectors of a change; creates that one if needed. */
    const tablesFor = async (
      tenant: string,
      corpusId: number,
      space: VectorQuery['space'] | undefined,
      change: Change<VectorRow>,
    ) => {
      const known = await tables.list(tenant);
      const hasVectors = change.kind === 'replace' && change.rows.some(({ vector }) => !isZeroVector(vector));
      if (hasVectors && space === undefined) throw new Error('vectors came without their space');
      const target =
        hasVectors && space !== undefined
          ? (findTable(known, corpusId, space) ?? (await tables.create(tenant, corpusId, space)))
          : undefined;
      return { inCorpus: known.filter((table) => table.corpusId === corpusId), target };
    };

    return {
      async apply(tenant, corpusId, space, change) {
        const { inCorpus, target } = await tablesFor(tenant, corpusId, space, change);
        const statements = changeStatements(corpusId, change, vectorIndex(inCorpus, target));
        const mayEmpty = change.kind === 'retain' || change.kind === 'purge' ? inCorpus : [];
        const write = () => files.write(tenant, [...statements, ...mayEmpty.map(anyRow)]);
        const results = await snapshots.during(tenant, corpusId, change, addedRows(change, target), write);
        const left = results.slice(statements.length);
        await tables.drop(
          tenant,
          mayEmpty.filter((_, index) => left[index]?.rows.length === 0),
        );
      },
      async search(tenant, query, signal) {
        const known = await tables.list(tenant);
        const inMemory = searchInMemory(snapshots, (table) => targetOf(tenant, table), known, query, signal);
        if (inMemory !== undefined) return inMemory;
        return searchFiles(files, known, tenant, query, signal);
      },
      async count(tenant, corpusId, version, signal) {
        const [row] = await files.read(tenant, countStatement(corpusId, version), signal);
        return Number(row?.count ?? 0);
      },
      async listKeys(tenant, corpusId, after, limit, signal) {
        const rows = await files.read(tenant, keysStatement(corpusId, after, limit), signal);
        return rows.map(({ id }) => id as number);
      },
      async maintain(tenant, corpusId, signal) {
        for (const table of [...(await tables.list(tenant))]) {
          if (table.corpusId === corpusId && !signal.aborted) await tables.compact(tenant, table);
        }
      },
      async scrub(tenant) {
        if (files.has(tenant)) await snapshots.dropImages(tenant);
        await files.scrub(tenant);
      },
      async prepare(tenant, corpusId, signal) {
        const inCorpus = (await tables.list(tenant)).filter((table) => table.corpusId === corpusId);
        await snapshots.prepare(
          inCorpus.map((table) => targetOf(tenant, table)),
          signal,
        );
      },
      async close() {
        await snapshots.close();
        await files.close();
      },
    };
  },
});

const spaceOf = ({ model, dimensions }: VectorSpace) => JSON.stringify([model, dimensions]);

function addedRows(change: Change<VectorRow>, target: VectorTable | undefined): AddedRows | undefined {
  if (change.kind !== 'replace' || target === undefined) return undefined;
  const rows = change.rows.filter(({ vector }) => !isZeroVector(vector));
  return { space: spaceOf(target), dimensions: target.dimensions, rows };
}

function searchInMemory(
  snapshots: Snapshots,
  targetOf: (table: VectorTable) => SnapshotTarget,
  known: readonly VectorTable[],
  { space, vector, scope, limit }: VectorQuery,
  signal: AbortSignal,
): Promise<Hit[]> | undefined {
  const wanted = scope.corpora.flatMap(({ corpusId, version }) => {
    const table = findTable(known, corpusId, space);
    return table === undefined ? [] : [{ target: targetOf(table), version }];
  });
  const { aclIds, filter } = scope;
  return snapshots.search(wanted, { kind: 'near', vector, aclIds, filter, limit }, signal);
}

async function searchFiles(
  files: TenantFiles,
  known: readonly VectorTable[],
  tenant: string,
  { space, vector, scope, limit }: VectorQuery,
  signal: AbortSignal,
): Promise<Hit[]> {
  const embedding = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  const lists = await Promise.all(
    scope.corpora.map(async ({ corpusId, version }) => {
      const table = findTable(known, corpusId, space);
      if (table === undefined) return [];
      const statement = searchStatement(table, corpusId, version, { embedding, scope, limit });
      return (await files.read(tenant, statement, signal)).map(toHit);
    }),
  );
  return mergeHits(lists, limit);
}

function toHit(row: Row): Hit {
  return {
    key: row.key as number,
    chunkId: row.chunk_id as string,
    documentId: row.document_id as string,
    // For vectors of length 1: |a - b|² = 2 - 2 cos.
    score: 1 - (row.distance as number) ** 2 / 2,
  };
}

/** Returns the changes of the vectors beside the rows. Numbers are bound as bigint, because vec0 accepts nothing else as an integer. */
function vectorIndex(tables: readonly VectorTable[], target: VectorTable | undefined): RowIndex<VectorRow> {
  return {
    insert({ key, aclId, vector }, version) {
      if (target === undefined || isZeroVector(vector)) return [];
      const embedding = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
      const removedIn = BigInt(Number.MAX_SAFE_INTEGER);
      return [
        {
          sql: `INSERT INTO ${target.name} (rowid, acl_id, added_in, removed_in, embedding) VALUES (?, ?, ?, ?, ?)`,
          params: [BigInt(key), BigInt(aclId), BigInt(version), removedIn, embedding],
        },
      ];
    },
    remove: (select) =>
      tables.map(({ name }) => ({ sql: `DELETE FROM ${name} WHERE rowid = ?`, params: [], forEach: select })),
    setRemovedIn: (select, version) =>
      tables.map(({ name }) => ({
        sql: `UPDATE ${name} SET removed_in = ? WHERE rowid = ?`,
        params: [BigInt(version)],
        forEach: select,
      })),
    setAclId: (select, aclId) =>
      tables.map(({ name }) => ({
        sql: `UPDATE ${name} SET acl_id = ? WHERE rowid = ?`,
        params: [BigInt(aclId)],
        forEach: select,
      })),
  };
}

function searchStatement(
  { name }: VectorTable,
  corpusId: number,
  version: number,
  { embedding, scope, limit }: { embedding: Uint8Array; scope: VectorQuery['scope']; limit: number },
): Statement {
  const filter = filterCondition(scope.filter, 'wanted');
  // vec0 applies these conditions during the search, so the limit counts only rows that pass.
  const among =
    filter.sql === '' ? '' : ` AND rowid IN (SELECT id FROM chunk AS wanted WHERE wanted.corpus_id = ?${filter.sql})`;
  return {
    sql: `SELECT chunk.id AS key, chunk_id, document_id, distance FROM (
        SELECT rowid, distance FROM ${name} WHERE embedding MATCH ? AND k = ?
        AND ${oneOf('acl_id')} AND added_in <= ? AND removed_in > ?${among}
      ) AS near CROSS JOIN chunk ON chunk.id = near.rowid ORDER BY distance, chunk.id`,
    params: [
      embedding,
      BigInt(limit),
      JSON.stringify(scope.aclIds),
      BigInt(version),
      BigInt(version),
      ...(among === '' ? [] : [corpusId, ...filter.params]),
    ],
  };
}
