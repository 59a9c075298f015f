import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { type Hit, mergeHits } from '../../../stores/index-row.ts';
import { toTerm } from '../../../stores/remote/rows.ts';
import { isZeroVector } from '../../../stores/unit-vector.ts';
import type { VectorQuery, VectorRow, VectorSpace, VectorStore } from '../../../stores/vector-store.ts';
import { type Condition, createValues, scopeConditions } from '../../vendors/postgres/conditions.ts';
import { connectStore, type PostgresDeps, postgresSettings } from '../../vendors/postgres/connection.ts';
import { applyChange, countRows, fullName, listRowKeys, type RowTable } from '../../vendors/postgres/rows.ts';
import { createGraphs } from './graphs.ts';
import { prepareExtension, vectorMigrations, vectorTable } from './schema.ts';
import { encodeArray, encodeVector } from './wire.ts';

// Vectors in PostgreSQL by pgvector. A tenant with few rows is searched exactly; one with many by a graph of its own, whose hits get exact
// scores. The graph is read on until enough rows pass the conditions, and PostgreSQL itself compares all rows that pass if it expects few.

const path = 'retrieval.vector_store';

const vectorSettings = {
  ...postgresSettings,
  exact_rows: z
    .int()
    .min(0)
    .max(10_000_000)
    .describe('A tenant with at most so many rows in a space is searched exactly; one with more by a graph')
    .default(20_000),
  ef_search: z
    .int()
    .min(10)
    .max(1000)
    .describe('Rows that a search by the graph keeps in view: more finds more, and takes longer')
    .default(400),
  build_memory_mb: z
    .int()
    .min(16)
    .max(65_536)
    .describe('Memory of PostgreSQL while it builds a graph, in MB')
    .default(256),
};

/** Rows that the graph is asked for, for each hit: it is approximate, and the best of them are chosen by exact scores. */
const candidatesPerHit = 4;
/** Most hits of a search by the graph; a search for more is exact. */
const maxGraphHits = 500;
/**
 * Most rows that a search by the graph visits until enough pass the conditions. If they do not, it is exact: below one row in sixty, all that
 * pass are compared.
 */
const maxScannedRows = 12_000;

export const adapter = defineAdapter<VectorStore, PostgresDeps, typeof vectorSettings>({
  settings: vectorSettings,
  async create(settings, deps) {
    const store = await connectStore(settings, deps, {
      path,
      name: 'vector store',
      tables: 'vectors',
      migrations: vectorMigrations,
      prepare: (pool) => prepareExtension(pool, path),
    });
    const graphs = createGraphs(store, { fromRows: settings.exact_rows + 1, buildMemoryMb: settings.build_memory_mb });
    const search = (statement: Statement, signal: AbortSignal) =>
      store.read((connection) => connection.query<Hit>(statement.sql, statement.values), signal);

    const searchScope = async (query: VectorQuery, scope: Condition, hasGraph: boolean, signal: AbortSignal) => {
      if (hasGraph && query.limit <= maxGraphHits) {
        const hits = await search(graphStatement(query, scope, settings.ef_search), signal);
        if (hits.length === query.limit * candidatesPerHit) return hits;
      }
      // Few rows pass, so there is little to compare.
      return search(exactStatement(query, scope), signal);
    };

    return {
      async apply(tenant, corpusId, space, change) {
        await applyChange(store, tenant, corpusId, change, rowTableOf(space));
      },
      async search(tenant, query, signal) {
        signal.throwIfAborted();
        const conditions = scopeConditions(tenant, query.scope);
        if (conditions.length === 0 || isZeroVector(query.vector)) return [];
        const hasGraph = await graphs.has(tenant, spaceId(query.space), signal);
        const lists = await Promise.all(conditions.map((condition) => searchScope(query, condition, hasGraph, signal)));
        return mergeHits(lists, query.limit);
      },
      count: (tenant, corpusId, version, signal) =>
        countRows(store, vectorTable, { tenant, corpusId, version }, signal),
      listKeys: (tenant, corpusId, after, limit, signal) =>
        listRowKeys(store, vectorTable, { tenant, corpusId, after, limit }, signal),
      maintain: (tenant, _corpusId, signal) => graphs.maintain(tenant, signal),
      close: store.close,
    };
  },
});

const spaceId = ({ model, dimensions }: VectorSpace) => toTerm(model, dimensions);

function rowTableOf(space: VectorSpace | undefined): RowTable<VectorRow> {
  return {
    name: vectorTable,
    sizeOf: ({ vector }) => 500 + vector.length * 4,
    async insert(connection, { rows, insertSql }) {
      if (space === undefined) throw new Error('rows came without the space of their vectors');
      const [type] = await connection.query<{ oid: number }>(`SELECT 'public.vector'::regtype::oid AS oid`);
      // A zero vector would be near everything: its row has neither vector nor space, and no search finds it.
      const isZero = rows.map(({ vector }) => isZeroVector(vector));
      const vectors = rows.map(({ vector }, index) => (isZero[index] ? undefined : encodeVector(vector)));
      const { sql, values } = insertSql([
        { name: 'space', type: 'uuid', list: isZero.map((zero) => (zero ? null : spaceId(space))) },
        { name: 'embedding', type: 'vector', list: encodeArray(type?.oid ?? 0, vectors) },
      ]);
      await connection.query(sql, values);
    },
  };
}

interface Statement {
  sql: string;
  values: unknown[];
}

function exactStatement({ space, vector, limit }: VectorQuery, scope: Condition): Statement {
  const values = createValues();
  const distance = `embedding <#> ${values.bind(encodeVector(vector), 'vector')}`;
  // The distance has one place, because PostgreSQL would compute it for every row as often as it is written.
  const sql = `SELECT key, chunk_id AS "chunkId", document_id AS "documentId", -distance AS score
    FROM (
      SELECT key, chunk_id, document_id, ${distance} AS distance FROM ${fullName(vectorTable)}
      WHERE space = ${values.bind(spaceId(space), 'uuid')} AND ${scope(values)}
      ORDER BY distance, key LIMIT ${values.bind(limit, 'bigint')}
    ) AS nearest`;
  return { sql, values: values.list };
}

// The settings are those of the statement's own transaction, so they are gone after it, whichever connection a pooler gives. The condition
// that sets them is read once, before the graph.
function graphStatement({ space, vector, limit }: VectorQuery, scope: Condition, efSearch: number): Statement {
  const values = createValues();
  const question = values.bind(encodeVector(vector), 'vector');
  const half = `halfvec(${space.dimensions})`;
  const settings = [
    ['hnsw.ef_search', efSearch],
    ['hnsw.iterative_scan', 'relaxed_order'],
    ['hnsw.max_scan_tuples', maxScannedRows],
  ];
  const set = settings.map(([name, value]) => `set_config('${name}', '${value}', true)`).join(' || ');
  const sql = `SELECT key, chunk_id AS "chunkId", document_id AS "documentId", -(embedding <#> ${question}) AS score
    FROM ${fullName(vectorTable)} WHERE (SELECT ${set}) IS NOT NULL
    AND space = ${values.bind(spaceId(space), 'uuid')} AND ${scope(values)}
    ORDER BY embedding::${half} <#> ${question}::${half} LIMIT ${values.bind(limit * candidatesPerHit, 'bigint')}`;
  return { sql, values: values.list };
}
