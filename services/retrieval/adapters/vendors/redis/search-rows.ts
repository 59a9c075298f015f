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

// Rows in RediSearch: a hash each, and one index over all of them. Every query of this file begins with the tenant, as
// does every hash's key, so that no call reaches across. Queries hold numbers and terms alone: no text of a caller is
// ever read as one.

/** Fields that every index has. */
const commonFields = [
  ...['tenant', 'corpus', 'acl', 'language', 'document', 'attributes'].flatMap((name) => [name, 'TAG']),
  ...['added', 'removed', 'updated'].flatMap((name) => [name, 'NUMERIC']),
  ...['key', 'NUMERIC', 'SORTABLE'],
];

/** Rows that a step writes or changes. */
const maxRows = 100;

/** Rows that a query of a change gives. */
const pageSize = 1000;

/** Values of the fields that only one port has. */
export type OwnFields = Record<string, string | Buffer>;

/** A query for the best rows. */
export interface RankedQuery {
  /** The query's text after its conditions: what it ranks by. */
  toQuery(conditions: string): string;
  /** Arguments of FT.SEARCH after the query. */
  args: readonly (string | number | Buffer)[];
  scope: SearchScope;
  limit: number;
  /** The score of a row, from the score and the field `ranked` that FT.SEARCH gives. */
  toScore(score: number, ranked: number): number;
}

/** Opens the rows of a port. `schema`: the fields that only this port has. */
export function openSearchRows(redis: RedisServer, prefix: string, schema: readonly string[], timeoutMs: number) {
  const keyPrefix = `${prefix}:row:`;
  const rowKey = (tenant: string, key: number) => `${keyPrefix}${toTerm(tenant)}:${key}`;
  const find = (query: string, ...args: (string | number | Buffer)[]): Command =>
    [
      ...(['FT.SEARCH', prefix, query, 'DIALECT', 2, 'VERBATIM'] as const),
      // A server that gives up early gives a part of the rows and no error; the caller has gone by then.
      ...['TIMEOUT', timeoutMs + 1000, ...args],
    ] as const;
  const run = async (query: Command, signal?: AbortSignal): Promise<SearchReply> => {
    try {
      const [reply] = await redis.read([query], signal);
      return toReply(reply);
    } catch (error) {
      // Nothing was written yet.
      if (isAbsent(error)) return { total: 0, rows: [] };
      throw error;
    }
  };
  const findKeys = async (tenant: string, where: RowCondition): Promise<string[]> => {
    const { rows } = await run(find(stepQuery(tenant, where), 'NOCONTENT', 'LIMIT', 0, pageSize));
    return rows.map(({ id }) => id);
  };

  return {
    /** Makes the index where it is not there. `alter`: fields that it is to have beside the schema. */
    async ensure(alter: readonly string[] = []): Promise<void> {
      const index = ['ON', 'HASH', 'PREFIX', 1, keyPrefix, 'STOPWORDS', 0, 'NOOFFSETS', 'NOHL', 'SCHEMA'];
      const create: Command = ['FT.CREATE', prefix, ...index, ...commonFields, ...schema];
      const add: Command[] =
        alter.length === 0 ? [] : [['FT.ALTER', prefix, 'SKIPINITIALSCAN', 'SCHEMA', 'ADD', ...alter]];
      for (const reply of await redis.attempt([create, ...add])) {
        if (reply instanceof Error && !/already exists|duplicate/i.test(reply.message)) throw redis.toError(reply);
      }
    },

    /** Carries out a step of a change. */
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
      // What is done is found no more; a page that comes again would come for ever.
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

    /** The best rows of a scope. */
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

    /** Rows of a tenant that pass each of the conditions, in order. */
    async countEach(tenant: string, conditions: readonly string[], signal: AbortSignal): Promise<number[]> {
      const queries = conditions.map((condition) => find(`${tenantQuery(tenant)} ${condition}`, 'LIMIT', 0, 0));
      try {
        return (await redis.read(queries, signal)).map((reply) => toReply(reply).total);
      } catch (error) {
        if (isAbsent(error)) return conditions.map(() => 0);
        throw error;
      }
    },

    /** Rows of a version. */
    async count(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<number> {
      const query = `${corpusQuery(tenant, corpusId)} ${atVersion(version)}`;
      return (await run(find(query, 'LIMIT', 0, 0), signal)).total;
    },

    /** Keys of a corpus above `after`, ascending. */
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

/** A field that has one of the values. */
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

/** The conditions of a query on rows. */
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

/** What FT.SEARCH gives. */
interface SearchReply {
  total: number;
  rows: { id: string; score: number; fields: Record<string, string> }[];
}

/** FT.SEARCH's reply in RESP3: maps, which the client gives as names and values by turns. */
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

/** Whether there is no such index. */
function isAbsent(error: unknown): boolean {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error && /no such index|unknown index|index not found/i.test(cause.message);
}
