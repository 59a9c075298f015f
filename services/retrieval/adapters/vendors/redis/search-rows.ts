import {
  forever,
  type Hit,
  type IndexRow,
  mergeHits,
  type RowFilter,
  type SearchScope,
} from '../../../stores/index-row.ts';
import {
  attributeTerm,
  attributeTerms,
  byVersion,
  type ChangeStep,
  changedColumn,
  chunksOf,
  type RowCondition,
  toTerm,
} from '../../../stores/remote/rows.ts';
import type { Command, RedisServer } from './connection.ts';

// Rows in RediSearch: each is a hash, and one index covers all of them. Every query and every hash's key begins with the tenant, so that no call
// reaches another tenant. Queries contain only numbers and terms, never a caller's text.

/** Fields of every index. */
const commonFields = [
  ...['tenant', 'corpus', 'acl', 'language', 'document', 'attributes'].flatMap((name) => [name, 'TAG']),
  ...['added', 'removed', 'updated'].flatMap((name) => [name, 'NUMERIC']),
  ...['key', 'NUMERIC', 'SORTABLE'],
];

/** Rows of one write. */
const maxRows = 100;

/** Rows of a page of a change. */
const pageSize = 1000;

/** Values of the fields that only one store has. */
export type OwnFields = Record<string, string | Buffer>;

/** A query for the best rows. */
export interface RankedQuery {
  /** Returns the query that ranks the rows which pass the conditions. */
  toQuery(conditions: string): string;
  /** Arguments of FT.SEARCH after the query. */
  args: readonly (string | number | Buffer)[];
  scope: SearchScope;
  limit: number;
  /** Returns the score of a row from the score and the field `ranked` in the reply of FT.SEARCH. */
  toScore(score: number, ranked: number): number;
}

/** Returns the operations on the rows of a store. `schema` has the fields that only this store has. */
export function openSearchRows(redis: RedisServer, prefix: string, schema: readonly string[], timeoutMs: number) {
  const keyPrefix = `${prefix}:row:`;
  const rowKey = (tenant: string, key: number) => `${keyPrefix}${toTerm(tenant)}:${key}`;
  const find = (query: string, ...args: (string | number | Buffer)[]): Command =>
    [
      ...(['FT.SEARCH', prefix, query, 'DIALECT', 2, 'VERBATIM'] as const),
      // After its timeout a server returns a part of the rows without an error; the caller's deadline has passed by then.
      ...['TIMEOUT', timeoutMs + 1000, ...args],
    ] as const;
  const run = async (query: Command, signal?: AbortSignal): Promise<SearchReply> => {
    try {
      const [reply] = await redis.read([query], signal);
      return toReply(reply);
    } catch (error) {
      // Nothing has been written yet.
      if (isAbsent(error)) return { total: 0, rows: [] };
      throw error;
    }
  };
  const findKeys = async (tenant: string, where: RowCondition): Promise<string[]> => {
    const { rows } = await run(find(stepQuery(tenant, where), 'NOCONTENT', 'LIMIT', 0, pageSize));
    return rows.map(({ id }) => id);
  };

  return {
    /** Creates the index if it does not exist. `alter` has the fields that it needs beside the schema. */
    async ensure(alter: readonly string[] = []): Promise<void> {
      const index = ['ON', 'HASH', 'PREFIX', 1, keyPrefix, 'STOPWORDS', 0, 'NOOFFSETS', 'NOHL', 'SCHEMA'];
      const create: Command = ['FT.CREATE', prefix, ...index, ...commonFields, ...schema];
      const add: Command[] =
        alter.length === 0 ? [] : [['FT.ALTER', prefix, 'SKIPINITIALSCAN', 'SCHEMA', 'ADD', ...alter]];
      for (const reply of await redis.attempt([create, ...add])) {
        if (reply instanceof Error && !/already exists|duplicate/i.test(reply.message)) throw redis.toError(reply);
      }
    },

    /** Applies a step of a change. */
    async step<R extends IndexRow>(
      tenant: string,
      corpusId: number,
      step: ChangeStep<R>,
      ownFields: (row: R) => OwnFields,
    ): Promise<void> {
      if (step.kind === 'insert') {
        for (const rows of chunksOf(step.rows, maxRows)) {
          await redis.write(
            rows.flatMap((row): Command[] => {
              const key = rowKey(tenant, row.key);
              const fields = { ...fieldsOf(tenant, corpusId, step.version, row), ...ownFields(row) };
              return [
                ['DEL', key],
                ['HSET', key, ...Object.entries(fields).flat()],
              ];
            }),
          );
        }
        return;
      }
      // A changed row is no longer found; if the same page came again, the loop would not end.
      for (let last = ''; ; ) {
        const keys = await findKeys(tenant, step.where);
        if (keys.length === 0) return;
        if (keys.join() === last) throw new Error('a step of a change changes nothing');
        last = keys.join();
        for (const part of chunksOf(keys, maxRows)) {
          const change = (key: string): Command =>
            step.kind === 'delete'
              ? ['DEL', key]
              : ['HSET', key, ...changedColumn(step.field, { removedIn: 'removed', aclId: 'acl' })];
          await redis.write(part.map(change));
        }
      }
    },

    /** Returns the best rows of a scope. */
    async search(tenant: string, query: RankedQuery, signal: AbortSignal): Promise<Hit[]> {
      signal.throwIfAborted();
      const { scope, limit, args } = query;
      if (scope.aclIds.length === 0 || scope.corpora.length === 0) return [];
      const fields = ['key', 'chunk_id', 'document_id', 'ranked'];
      const page = ['RETURN', fields.length, ...fields, 'LIMIT', 0, limit];
      const { rows } = await run(find(query.toQuery(scopeQuery(tenant, scope)), ...args, ...page), signal);
      const hits = rows.map(({ score, fields: found }): Hit => {
        const { key, chunk_id = '', document_id = '', ranked } = found;
        return {
          key: Number(key),
          chunkId: chunk_id,
          documentId: document_id,
          score: query.toScore(score, Number(ranked)),
        };
      });
      return mergeHits([hits], limit);
    },

    /** Returns for each condition the number of the tenant's rows that pass it. */
    async countEach(tenant: string, conditions: readonly string[], signal: AbortSignal): Promise<number[]> {
      const queries = conditions.map((condition) => find(`${tenantQuery(tenant)} ${condition}`, 'LIMIT', 0, 0));
      try {
        return (await redis.read(queries, signal)).map((reply) => toReply(reply).total);
      } catch (error) {
        if (isAbsent(error)) return conditions.map(() => 0);
        throw error;
      }
    },

    /** Returns the number of rows of a version. */
    async count(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<number> {
      const query = `${corpusQuery(tenant, corpusId)} ${atVersion(version)}`;
      return (await run(find(query, 'LIMIT', 0, 0), signal)).total;
    },

    /** Returns the keys above `after` of a corpus's rows, ascending, at most `limit`. */
    async listKeys(
      tenant: string,
      corpusId: number,
      after: number,
      limit: number,
      signal: AbortSignal,
    ): Promise<number[]> {
      const query = `${corpusQuery(tenant, corpusId)} @key:[(${after} +inf]`;
      const args = ['SORTBY', 'key', 'ASC', 'RETURN', 1, 'key', 'LIMIT', 0, limit];
      const { rows } = await run(find(query, ...args), signal);
      return rows.map(({ fields }) => Number(fields.key));
    },
  };
}

function fieldsOf(tenant: string, corpusId: number, version: number, row: IndexRow): Record<string, string | number> {
  const { key, aclId, language, updatedMs, documentId, chunkId } = row;
  return {
    tenant: toTerm(tenant),
    corpus: corpusId,
    key,
    acl: aclId,
    added: version,
    removed: forever,
    language,
    document: toTerm(documentId),
    attributes: attributeTerms(row).join(),
    ...(updatedMs !== undefined && { updated: updatedMs }),
    document_id: documentId,
    chunk_id: chunkId,
  };
}

/** Returns the condition that a field has one of the values. */
const oneOf = (field: string, values: readonly (string | number)[]) => `@${field}:{${values.join('|')}}`;
const within = (field: string, [from, to]: readonly [number, number]) => `@${field}:[${from} ${to}]`;
const atVersion = (version: number) => `@added:[-inf ${version}] @removed:[(${version} +inf]`;
const tenantQuery = (tenant: string) => oneOf('tenant', [toTerm(tenant)]);
const corpusQuery = (tenant: string, corpusId: number) => `${tenantQuery(tenant)} ${oneOf('corpus', [corpusId])}`;

function stepQuery(
  tenant: string,
  { corpusId, documentIds, keys, addedIn, removedIn, aclIdNot }: RowCondition,
): string {
  return [
    corpusQuery(tenant, corpusId),
    ...(documentIds === undefined
      ? []
      : [
          oneOf(
            'document',
            documentIds.map((id) => toTerm(id)),
          ),
        ]),
    ...(keys === undefined ? [] : [`(${keys.map((key) => within('key', [key, key])).join('|')})`]),
    ...(addedIn === undefined ? [] : [within('added', addedIn)]),
    ...(removedIn === undefined ? [] : [within('removed', removedIn)]),
    ...(aclIdNot === undefined ? [] : [`-${oneOf('acl', [aclIdNot])}`]),
  ].join(' ');
}

/** Returns the conditions for the rows that a search may find. */
function scopeQuery(tenant: string, { corpora, aclIds, filter }: SearchScope): string {
  const versions = byVersion(corpora).map(
    ({ version, corpusIds }) => `(${oneOf('corpus', corpusIds)} ${atVersion(version)})`,
  );
  const conditions = [tenantQuery(tenant), oneOf('acl', aclIds), `(${versions.join('|')})`];
  return [...conditions, ...(filter === undefined ? [] : filterQuery(filter))].join(' ');
}

function filterQuery({ documentIds, languages, attributes, updatedFromMs, updatedBeforeMs }: RowFilter): string[] {
  return [
    ...(documentIds.length === 0
      ? []
      : [
          oneOf(
            'document',
            documentIds.map((id) => toTerm(id)),
          ),
        ]),
    ...(languages.length === 0 ? [] : [oneOf('language', languages)]),
    ...attributes.map(({ name, values }) =>
      oneOf(
        'attributes',
        values.map((value) => attributeTerm(name, value)),
      ),
    ),
    ...(updatedFromMs === undefined ? [] : [`@updated:[${updatedFromMs} +inf]`]),
    ...(updatedBeforeMs === undefined ? [] : [`@updated:[-inf (${updatedBeforeMs}]`]),
  ];
}

/** A reply of FT.SEARCH. */
interface SearchReply {
  total: number;
  rows: { id: string; score: number; fields: Record<string, string> }[];
}

/** Converts a reply in RESP3: maps, which the client returns as alternating names and values. */
function toReply(reply: unknown): SearchReply {
  const { total_results, results } = toRecord(reply);
  const rows = (results as unknown[]).map((result) => {
    const { id, score, extra_attributes } = toRecord(result);
    return {
      id: String(id),
      score: Number(score ?? 0),
      fields: toRecord(extra_attributes ?? []) as Record<string, string>,
    };
  });
  return { total: Number(total_results), rows };
}

function toRecord(map: unknown): Record<string, unknown> {
  if (map instanceof Map) return Object.fromEntries(map);
  if (!Array.isArray(map)) return map as Record<string, unknown>;
  return Object.fromEntries(chunksOf(map, 2) as [string, unknown][]);
}

/** Returns whether an error says that the index does not exist. */
function isAbsent(error: unknown): boolean {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error && /no such index|unknown index|index not found/i.test(cause.message);
}
