import { createRequire } from 'node:module';
import { LRUCache } from 'lru-cache';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Statement } from '#kit/storage/sqlite/protocol.ts';
import { createSnapshots } from '../../snapshots/snapshots.ts';
import {
  changeStatements,
  countStatement,
  filterCondition,
  keysStatement,
  oneOf,
  type RowIndex,
  rowSchema,
} from '../../sqlite/rows.ts';
import { createTenantFiles } from '../../sqlite/tenant-files.ts';
import { type Hit, mergeHits } from '../../stores/index-row.ts';
import type { StoreDeps, VectorQuery, VectorRow, VectorSpace, VectorStore } from '../../stores/vector-store.ts';

// Exact search: of live versions in memory, of all else by sqlite-vec. vec0 cannot change a row of a table with a partition key, and keeps the place of a
// deleted row until its whole block is free; so each corpus and space has a table of its own, and settle() closes the
// gaps.

/** Bytes of vectors that vec0 keeps and reads as one block. */
const blockBytes = 1024 * 1024;

/** Blocks are closed up where more than this share of their places is free. */
const maxFreeShare = 0.5;

/** A table of vectors. */
interface VectorTable extends VectorSpace {
  name: string;
  corpusId: number;
}

export const adapter = defineAdapter<VectorStore, StoreDeps, Record<string, never>>({
  settings: {},
  create(_settings, { folder, threads, snapshots = createSnapshots(0) }) {
    const extensions = [
      (createRequire(import.meta.url)('sqlite-vec') as { getLoadablePath(): string }).getLoadablePath(),
    ];
    const files = createTenantFiles({
      folder,
      name: 'vector store',
      threads,
      migrations: [
        `${rowSchema}
CREATE TABLE space (
  id INTEGER PRIMARY KEY,
  corpus_id INTEGER NOT NULL,
  model TEXT NOT NULL,
  dimensions INTEGER NOT NULL,
  UNIQUE (corpus_id, model, dimensions)
);
`,
      ],
      extensions,
    });
    const notAborted = new AbortController().signal;
    // Which tables there are, by tenant: only this store makes them.
    const tables = new LRUCache<string, Promise<VectorTable[]>>({ max: 1000 });
    const tablesOf = (tenant: string): Promise<VectorTable[]> => {
      let found = tables.get(tenant);
      if (found === undefined) {
        found = files.read(tenant, { sql: 'SELECT * FROM space', params: [] }, notAborted).then((rows) =>
          rows.map((row) => ({
            name: `vector_${row.id}`,
            corpusId: row.corpus_id as number,
            model: row.model as string,
            dimensions: row.dimensions as number,
          })),
        );
        tables.set(tenant, found);
        found.catch(() => tables.delete(tenant));
      }
      return found;
    };
    const findTable = (known: VectorTable[], corpusId: number, space: VectorSpace) =>
      known.find(
        (table) => table.corpusId === corpusId && table.model === space.model && table.dimensions === space.dimensions,
      );
    const createTable = async (
      tenant: string,
      corpusId: number,
      { model, dimensions }: VectorSpace,
    ): Promise<VectorTable> => {
      const [row] = await files.read(tenant, { sql: 'SELECT max(id) AS id FROM space', params: [] }, notAborted);
      const id = Number(row?.id ?? 0) + 1;
      const rowsInBlock = Math.min(1024, Math.max(8, Math.floor(blockBytes / (dimensions * 4) / 8) * 8));
      await files.write(tenant, [
        {
          sql: `CREATE VIRTUAL TABLE vector_${id} USING vec0(acl_id INTEGER, added_in INTEGER, removed_in INTEGER,
            embedding FLOAT[${dimensions}], chunk_size=${rowsInBlock})`,
          params: [],
        },
        { sql: 'INSERT INTO space VALUES (?, ?, ?, ?)', params: [id, corpusId, model, dimensions] },
      ]);
      const table = { name: `vector_${id}`, corpusId, model, dimensions };
      (await tablesOf(tenant)).push(table);
      return table;
    };

    return {
      async apply(tenant, corpusId, space, change) {
        const known = await tablesOf(tenant);
        const hasVectors = change.kind === 'replace' && change.rows.some(({ vector }) => isSomewhere(vector));
        let target: VectorTable | undefined;
        if (hasVectors) {
          if (space === undefined) throw new Error('vectors came without their space');
          target = findTable(known, corpusId, space) ?? (await createTable(tenant, corpusId, space));
        }
        const inCorpus = known.filter((table) => table.corpusId === corpusId);
        const statements = changeStatements(corpusId, change, vectorIndex(inCorpus, target));
        await snapshots.during(tenant, corpusId, change, () => files.write(tenant, statements));
        if (change.kind === 'retain' || change.kind === 'purge') await dropEmpty(tenant, inCorpus);
      },
      async search(tenant, { space, vector, scope, limit }, signal) {
        const known = await tablesOf(tenant);
        const inMemory =
          scope.filter === undefined
            ? searchInMemory(known, tenant, { space, vector, scope, limit }, signal)
            : undefined;
        if (inMemory !== undefined) return mergeHits([await inMemory], limit);
        const embedding = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
        const lists = await Promise.all(
          scope.corpora.map(async ({ corpusId, version }) => {
            const table = findTable(known, corpusId, space);
            if (table === undefined) return [];
            const statement = searchStatement(table, corpusId, version, { embedding, scope, limit });
            const rows = await files.read(tenant, statement, signal);
            return rows.map(
              (row): Hit => ({
                key: row.key as number,
                chunkId: row.chunk_id as string,
                documentId: row.document_id as string,
                // For vectors of length 1: |a - b|² = 2 - 2 cos.
                score: 1 - (row.distance as number) ** 2 / 2,
              }),
            );
          }),
        );
        return mergeHits(lists, limit);
      },
      async count(tenant, corpusId, version, signal) {
        const [row] = await files.read(tenant, countStatement(corpusId, version), signal);
        return Number(row?.count ?? 0);
      },
      async listKeys(tenant, corpusId, after, limit, signal) {
        const rows = await files.read(tenant, keysStatement(corpusId, after, limit), signal);
        return rows.map(({ id }) => id as number);
      },
      async settle(tenant, corpusId, signal) {
        for (const table of [...(await tablesOf(tenant))]) {
          if (table.corpusId === corpusId && !signal.aborted) await closeGaps(tenant, table);
        }
      },
      async close() {
        await snapshots.close();
        await files.close();
      },
    };

    function searchInMemory(
      known: VectorTable[],
      tenant: string,
      { space, vector, scope, limit }: VectorQuery,
      signal: AbortSignal,
    ) {
      const wanted = scope.corpora.flatMap(({ corpusId, version }) => {
        const table = findTable(known, corpusId, space);
        if (table === undefined) return [];
        const vectors = { table: table.name, dimensions: table.dimensions };
        return [
          { tenant, space: table.name, source: { path: files.path(tenant), extensions, corpusId, version, vectors } },
        ];
      });
      return snapshots.search(wanted, { kind: 'near', vector, aclIds: scope.aclIds, limit }, signal);
    }

    async function dropEmpty(tenant: string, candidates: readonly VectorTable[]): Promise<void> {
      for (const table of candidates) {
        const sql = `SELECT 1 FROM ${table.name}_rowids LIMIT 1`;
        if ((await files.read(tenant, { sql, params: [] }, notAborted)).length > 0) continue;
        await files.write(tenant, [
          { sql: `DROP TABLE ${table.name}`, params: [] },
          { sql: 'DELETE FROM space WHERE id = ?', params: [Number(table.name.slice('vector_'.length))] },
        ]);
        const known = await tablesOf(tenant);
        known.splice(known.indexOf(table), 1);
      }
    }

    async function closeGaps(tenant: string, { name }: VectorTable): Promise<void> {
      const used = `SELECT count(*) FROM ${name}_rowids`;
      const sql = `SELECT (${used}) AS used, (SELECT sum(size) FROM ${name}_chunks) AS size`;
      const [row] = await files.read(tenant, { sql, params: [] }, notAborted);
      if (Number(row?.used) >= Number(row?.size) * (1 - maxFreeShare)) return;
      const columns = 'rowid, acl_id, added_in, removed_in, embedding';
      await files.write(
        tenant,
        [
          `CREATE TEMP TABLE kept AS SELECT ${columns} FROM ${name}`,
          `DELETE FROM ${name}`,
          `INSERT INTO ${name} (${columns}) SELECT * FROM kept`,
          'DROP TABLE kept',
        ].map((statement) => ({ sql: statement, params: [] })),
      );
    }
  },
});

const isSomewhere = (vector: Float32Array) => vector.some((component) => component !== 0);

/** Vectors of the rows. Numbers are bound as bigint, since vec0 takes nothing else for an integer. */
function vectorIndex(tables: readonly VectorTable[], target: VectorTable | undefined): RowIndex<VectorRow> {
  return {
    insert({ key, aclId, vector }, version) {
      // vec0 would find a zero vector near everything.
      if (target === undefined || !isSomewhere(vector)) return [];
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
      tables.map(({ name }) => ({
        sql: `DELETE FROM ${name} WHERE rowid IN (${select.sql})`,
        params: select.params,
      })),
    setRemovedIn: (select, version) =>
      tables.map(({ name }) => ({
        sql: `UPDATE ${name} SET removed_in = ? WHERE rowid IN (${select.sql})`,
        params: [BigInt(version), ...select.params],
      })),
    setAclId: (select, aclId) =>
      tables.map(({ name }) => ({
        sql: `UPDATE ${name} SET acl_id = ? WHERE rowid IN (${select.sql})`,
        params: [BigInt(aclId), ...select.params],
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
  // vec0 tests these while it searches, so the limit counts only rows that pass.
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
