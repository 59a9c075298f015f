import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { forever, type Hit, mergeHits, type RowFilter, type SearchScope } from '../../stores/index-row.ts';
import { changeSteps, chunksOf, type RowCondition, toTerm } from '../../stores/remote/rows.ts';
import { isZeroVector } from '../../stores/unit-vector.ts';
import type { VectorRow, VectorSpace, VectorStore } from '../../stores/vector-store.ts';
import {
  type Command,
  openStoreRedis,
  type RedisServer,
  storeRedisSettings,
  tenantPrefix,
} from '../vendors/redis/connection.ts';

// Vectors in Redis 8's vector sets: one for each tenant, corpus and space, with the fields of conditions as JSON beside each vector. A vector set
// finds nothing by document or version, so sets and sorted sets do:
//
//   …:row:<key>          the fields of a row
//   …:<corpus>:keys      the rows' keys            …:<corpus>:doc:<term>  those of a document
//   …:<corpus>:added     by the version that added them
//   …:<corpus>:removed   by the version that removed them, those that one has removed
//   …:<corpus>:vec:…     the vector set

const settings = {
  ...storeRedisSettings,
  exact_rows: z
    .int()
    .min(0)
    .max(10_000_000)
    .describe('A corpus with at most so many vectors in a space is searched exactly; one with more by the graph')
    .default(20_000),
  ef: z
    .int()
    .min(10)
    .max(100_000)
    .describe('Rows that a search by the graph keeps in view: more finds more, and takes longer')
    .default(400),
  filter_ef: z
    .int()
    .min(100)
    .max(10_000_000)
    .describe('Rows that a search by the graph compares with the conditions at most')
    .default(50_000),
};

/** Rows of one write. Each vector takes up to a millisecond, and the server does nothing else meanwhile. */
const maxRows = 50;

/** Rows of one change that does not write vectors. */
const maxChanged = 500;

/** A row as it is stored. */
interface StoredRow {
  key: number;
  documentTerm: string;
  /** Key of its vector set; empty if it has no vector. */
  set: string;
  /** The fields of conditions as JSON, without versions. */
  conditions: string;
  addedIn: number;
  removedIn: number;
}

export const adapter = defineAdapter<VectorStore, object, typeof settings>({
  settings,
  async create(given) {
    const redis = await openStoreRedis(given, 'vector store');
    const prefixOf = (tenant: string) => tenantPrefix(`${given.key_prefix}vectors`, tenant);
    const setOf = (tenant: string, corpusId: number, { model, dimensions }: VectorSpace) =>
      `${prefixOf(tenant)}:${corpusId}:vec:${toTerm(model, dimensions)}`;

    return {
      async apply(tenant, corpusId, space, change) {
        const prefix = prefixOf(tenant);
        for (const step of changeSteps(corpusId, change)) {
          if (step.kind === 'insert') {
            if (space === undefined) throw new Error('vectors came without their space');
            const set = setOf(tenant, corpusId, space);
            for (const rows of chunksOf(step.rows, maxRows)) {
              await redis.write(rows.flatMap((row) => insertRow(prefix, corpusId, step.version, row, set)));
            }
            continue;
          }
          for (const keys of chunksOf(await findKeys(redis, prefix, step.where), maxChanged)) {
            const rows = await readRows(redis, prefix, keys);
            await redis.write(
              rows.flatMap((row) =>
                step.kind === 'delete'
                  ? deleteRow(prefix, corpusId, row)
                  : 'aclId' in step.field
                    ? setAclId(prefix, row, step.field.aclId)
                    : setRemovedIn(prefix, corpusId, row, step.field.removedIn),
              ),
            );
          }
        }
        await redis.flush();
      },
      async search(tenant, { space, vector, scope, limit }, signal) {
        signal.throwIfAborted();
        if (scope.aclIds.length === 0) return [];
        const sets = scope.corpora.map(({ corpusId, version }) => ({ set: setOf(tenant, corpusId, space), version }));
        const sizes = await redis.read(
          sets.map(({ set }) => ['VCARD', set]),
          signal,
        );
        const embedding = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
        const searches = sets.flatMap(({ set, version }, index): Command[] => {
          const size = Number(sizes[index]);
          if (size === 0) return [];
          const mode = size <= given.exact_rows ? ['TRUTH'] : ['EF', given.ef, 'FILTER-EF', given.filter_ef];
          const filter = filterOf(scope, version);
          return [['VSIM', set, 'FP32', embedding, 'WITHSCORES', 'COUNT', limit, 'FILTER', filter, ...mode]];
        });
        const found = (await redis.read(searches, signal)).map((reply) => scoresOf(reply as string[]));
        const best = found
          .flat()
          .sort((a, b) => b.score - a.score || a.key - b.key)
          .slice(0, limit);
        const names = await redis.read(
          best.map(({ key }) => ['HMGET', rowKey(prefixOf(tenant), key), 'chunk_id', 'document_id']),
          signal,
        );
        const hits = best.flatMap(({ key, score }, index): Hit[] => {
          const [chunkId, documentId] = names[index] as (string | null)[];
          // A row that was deleted meanwhile is not a hit.
          return typeof chunkId === 'string' && typeof documentId === 'string'
            ? [{ key, chunkId, documentId, score }]
            : [];
        });
        return mergeHits([hits], limit);
      },
      async count(tenant, corpusId, version, signal) {
        const prefix = prefixOf(tenant);
        const [added, removed] = await redis.read(
          ['added', 'removed'].map((name) => ['ZCOUNT', `${prefix}:${corpusId}:${name}`, '-inf', version]),
          signal,
        );
        return Number(added) - Number(removed);
      },
      async listKeys(tenant, corpusId, after, limit, signal) {
        const range = ['ZRANGE', `${prefixOf(tenant)}:${corpusId}:keys`, `(${after}`, '+inf', 'BYSCORE'] as const;
        const [keys] = await redis.read([[...range, 'LIMIT', 0, limit]], signal);
        return (keys as string[]).map(Number);
      },
      // Redis needs no maintenance.
      async maintain() {},
      close: () => redis.close(),
    };
  },
});

const rowKey = (prefix: string, key: number | string) => `${prefix}:row:${key}`;

/** Returns the keys of the rows of a step. */
async function findKeys(redis: RedisServer, prefix: string, where: RowCondition): Promise<string[]> {
  const corpus = `${prefix}:${where.corpusId}`;
  const { documentIds, keys, addedIn, removedIn, aclIdNot } = where;
  if (keys !== undefined) return amongKeys(redis, corpus, keys.map(String));
  if (documentIds !== undefined) {
    const sets = await redis.read(documentIds.map((id) => ['SMEMBERS', `${corpus}:doc:${toTerm(id)}`]));
    const found = (sets as string[][]).flat();
    const rows = addedIn === undefined && removedIn === undefined ? [] : await readRows(redis, prefix, found);
    if (addedIn !== undefined) {
      const others = aclIdNot === undefined ? rows : rows.filter(({ conditions }) => aclIdOf(conditions) !== aclIdNot);
      return keysWhere(others, ({ addedIn: version }) => isWithin(version, addedIn));
    }
    if (removedIn !== undefined) return keysWhere(rows, ({ removedIn: version }) => isWithin(version, removedIn));
    return found;
  }
  const name = addedIn === undefined ? 'removed' : 'added';
  const [from, to] = addedIn ?? removedIn ?? [];
  if (from === undefined || to === undefined) throw new Error('a step has no condition');
  const [found] = await redis.read([['ZRANGE', `${corpus}:${name}`, from, to, 'BYSCORE']]);
  return found as string[];
}

const isWithin = (version: number, [from, to]: readonly [number, number]) => version >= from && version <= to;
const keysWhere = (rows: readonly StoredRow[], passes: (row: StoredRow) => boolean) =>
  rows.filter(passes).map(({ key }) => String(key));

async function amongKeys(redis: RedisServer, corpus: string, keys: readonly string[]): Promise<string[]> {
  const [scores] = await redis.read([['ZMSCORE', `${corpus}:keys`, ...keys]]);
  return keys.filter((_, index) => (scores as (string | null)[])[index] !== null);
}

async function readRows(redis: RedisServer, prefix: string, keys: readonly string[]): Promise<StoredRow[]> {
  const fields = ['document_term', 'set', 'conditions', 'added_in', 'removed_in'];
  const found = await redis.read(keys.map((key) => ['HMGET', rowKey(prefix, key), ...fields]));
  return (found as (string | null)[][]).flatMap(([documentTerm, set, conditions, addedIn, removedIn], index) =>
    typeof documentTerm === 'string' && typeof set === 'string' && typeof conditions === 'string'
      ? [
          {
            key: Number(keys[index]),
            documentTerm,
            set,
            conditions,
            addedIn: Number(addedIn),
            removedIn: Number(removedIn),
          },
        ]
      : [],
  );
}

function insertRow(prefix: string, corpusId: number, version: number, row: VectorRow, set: string): Command[] {
  const { key, chunkId, documentId, vector } = row;
  const corpus = `${prefix}:${corpusId}`;
  const documentTerm = toTerm(documentId);
  const conditions = conditionsOf(row);
  const hasVector = !isZeroVector(vector);
  const fields = {
    chunk_id: chunkId,
    document_id: documentId,
    document_term: documentTerm,
    set: hasVector ? set : '',
    conditions,
    added_in: version,
    removed_in: forever,
  };
  const embedding = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  const attributes = withVersions(conditions, version, forever);
  return [
    ['HSET', rowKey(prefix, key), ...Object.entries(fields).flat()],
    ['ZADD', `${corpus}:keys`, key, key],
    ['ZADD', `${corpus}:added`, version, key],
    ['SADD', `${corpus}:doc:${documentTerm}`, key],
    ...(hasVector ? [['VADD', set, 'FP32', embedding, key, 'NOQUANT', 'SETATTR', attributes] as const] : []),
  ];
}

function deleteRow(prefix: string, corpusId: number, { key, documentTerm, set }: StoredRow): Command[] {
  const corpus = `${prefix}:${corpusId}`;
  return [
    ...(set === '' ? [] : [['VREM', set, key] as const]),
    ...['keys', 'added', 'removed'].map((name) => ['ZREM', `${corpus}:${name}`, key] as const),
    ['SREM', `${corpus}:doc:${documentTerm}`, key],
    ['DEL', rowKey(prefix, key)],
  ];
}

function setRemovedIn(prefix: string, corpusId: number, row: StoredRow, removedIn: number): Command[] {
  const { key, set, conditions, addedIn } = row;
  const removed = `${prefix}:${corpusId}:removed`;
  return [
    ...(set === '' ? [] : [['VSETATTR', set, key, withVersions(conditions, addedIn, removedIn)] as const]),
    removedIn === forever ? ['ZREM', removed, key] : ['ZADD', removed, removedIn, key],
    ['HSET', rowKey(prefix, key), 'removed_in', removedIn],
  ];
}

function setAclId(prefix: string, { key, set, conditions, addedIn, removedIn }: StoredRow, aclId: number): Command[] {
  const changed = JSON.stringify({ ...JSON.parse(conditions), acl: aclId });
  return [
    ...(set === '' ? [] : [['VSETATTR', set, key, withVersions(changed, addedIn, removedIn)] as const]),
    ['HSET', rowKey(prefix, key), 'conditions', changed],
  ];
}

const aclIdOf = (conditions: string) => (JSON.parse(conditions) as { acl: number }).acl;

function conditionsOf({ aclId, language, updatedMs, documentId, attributes }: VectorRow): string {
  const named = Object.entries(attributes).map(([name, value]) => [attributeField(name), toTerm(value)]);
  const plain = { acl: aclId, language, document: toTerm(documentId), ...Object.fromEntries(named) };
  return JSON.stringify(updatedMs === undefined ? plain : { ...plain, updated: updatedMs });
}

const withVersions = (conditions: string, added: number, removed: number) =>
  JSON.stringify({ ...JSON.parse(conditions), added, removed });

const attributeField = (name: string) => `a_${toTerm(name)}`;

/**
 * Returns the scope as an expression of vector sets. It contains only numbers and terms, never a caller's text. A row without a field fails
 * the field's condition.
 */
function filterOf({ aclIds, filter }: SearchScope, version: number): string {
  const isIn = (field: string, values: readonly (number | string)[]) => `.${field} in ${JSON.stringify(values)}`;
  const conditions = [isIn('acl', aclIds), `.added <= ${version}`, `.removed > ${version}`];
  return [...conditions, ...(filter === undefined ? [] : callerConditions(filter, isIn))].join(' and ');
}

function callerConditions(
  { documentIds, languages, attributes, updatedFromMs, updatedBeforeMs }: RowFilter,
  isIn: (field: string, values: readonly (number | string)[]) => string,
): string[] {
  const conditions = attributes.map(({ name, values }) =>
    isIn(
      attributeField(name),
      values.map((value) => toTerm(value)),
    ),
  );
  const documents = documentIds.map((id) => toTerm(id));
  if (documents.length > 0) conditions.push(isIn('document', documents));
  if (languages.length > 0) conditions.push(isIn('language', languages));
  if (updatedFromMs !== undefined) conditions.push(`.updated >= ${updatedFromMs}`);
  if (updatedBeforeMs !== undefined) conditions.push(`.updated < ${updatedBeforeMs}`);
  return conditions;
}

/** Converts VSIM's reply: alternating names and similarities. A similarity is (1 + cosine) / 2. */
function scoresOf(reply: readonly string[]): { key: number; score: number }[] {
  return chunksOf(reply, 2).map(([key, similarity]) => ({ key: Number(key), score: Number(similarity) * 2 - 1 }));
}
