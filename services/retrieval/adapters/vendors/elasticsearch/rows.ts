import type { estypes } from '@elastic/elasticsearch';
import { unavailable } from '#kit/base/errors.ts';
import { type Change, forever, type Hit, type IndexRow } from '../../../stores/index-row.ts';
import { httpError } from '../../../stores/remote/calls.ts';
import {
  attributeTerms,
  type ChangeStep,
  changedColumn,
  changeSteps,
  chunksOf,
  columnNames,
  toTerm,
} from '../../../stores/remote/rows.ts';
import { conditionsOf, rowCondition } from './conditions.ts';
import type { Elasticsearch, ElasticsearchSettings } from './connection.ts';

// Rows as documents of Elasticsearch and their changes, for both stores. Each tenant has its own routing value, so that a request reads one
// shard.

/** A document of an index. */
export type RowSource = Record<string, unknown>;

/** Most rows of a bulk request, and most bytes. */
const maxBulkRows = 500;
const maxBulkBytes = 8 * 1024 * 1024;

/** The mapping of the fields of every row. */
export const rowMapping = {
  tenant: { type: 'keyword' },
  key: { type: 'long' },
  corpus_id: { type: 'long' },
  acl_id: { type: 'long' },
  added_in: { type: 'long' },
  removed_in: { type: 'long' },
  language: { type: 'integer' },
  updated_ms: { type: 'long' },
  document_id: { type: 'keyword' },
  chunk_id: { type: 'keyword', index: false },
  attributes: { type: 'keyword', doc_values: false },
} as const satisfies Record<string, estypes.MappingProperty>;

/** Returns the best hits of a query, which must find only rows of `tenant`. */
export async function searchHits(
  { client, read }: Elasticsearch,
  index: string,
  tenant: string,
  query: estypes.QueryDslQueryContainer,
  limit: number,
  signal: AbortSignal,
): Promise<Hit[]> {
  const found = await read(
    (running) =>
      client.search(
        {
          index,
          routing: toTerm(tenant),
          ignore_unavailable: true,
          allow_partial_search_results: false,
          track_total_hits: false,
          _source: false,
          docvalue_fields: ['key', 'chunk_id', 'document_id'],
          query,
          sort: [{ _score: { order: 'desc' } }, { key: 'asc' }],
          size: limit,
        },
        { signal: running },
      ),
    signal,
  );
  return found.hits.hits.map(({ _score, sort, fields }) => ({
    key: Number(fields?.key[0]),
    chunkId: fields?.chunk_id[0] as string,
    documentId: fields?.document_id[0] as string,
    score: Number(_score ?? sort?.[0]),
  }));
}

/** A store's own part of the rows. `pattern` names all its indices. */
export interface RowIndices<R extends IndexRow> {
  pattern: string;
  /** Returns the index of new rows, which is created if it does not exist. `again`: also if this process has seen it. */
  indexOf(again: boolean): Promise<string>;
  sourceOf(row: R): RowSource;
  /** Returns the approximate bytes of a row, to size bulk requests. */
  sizeOf(row: R): number;
}

/** Applies a change, one step after another. */
export async function applyChange<R extends IndexRow>(
  elasticsearch: Elasticsearch,
  tenant: string,
  corpusId: number,
  change: Change<R>,
  indices: RowIndices<R>,
): Promise<void> {
  for (const step of changeSteps(corpusId, change)) {
    if (step.kind === 'insert') await insert(elasticsearch, tenant, corpusId, step, indices);
    else await changeByQuery(elasticsearch, tenant, step, indices.pattern);
  }
}

async function changeByQuery(
  { client, write, name }: Elasticsearch,
  tenant: string,
  step: Exclude<ChangeStep<IndexRow>, { kind: 'insert' }>,
  index: string,
): Promise<void> {
  const request = {
    index,
    routing: toTerm(tenant),
    ignore_unavailable: true,
    refresh: true,
    query: rowCondition(tenant, step.where),
  };
  const [field, value] = step.kind === 'set' ? changedColumn(step.field, columnNames) : [];
  const reply = await write((signal) =>
    step.kind === 'delete'
      ? client.deleteByQuery(request, { signal })
      : client.updateByQuery(
          {
            ...request,
            script: {
              source: 'ctx._source[params.field] = params.value',
              lang: 'painless',
              params: { field, value },
            },
          },
          { signal },
        ),
  );
  if (reply.timed_out || (reply.failures ?? []).length > 0) {
    throw unavailable(name, `the ${name} applied only a part of a change: try again`, reply.failures);
  }
}

async function insert<R extends IndexRow>(
  { client, write, name }: Elasticsearch,
  tenant: string,
  corpusId: number,
  { version, rows }: { version: number; rows: readonly R[] },
  { indexOf, sourceOf, sizeOf }: RowIndices<R>,
): Promise<void> {
  const batches = chunksOf(rows, maxBulkRows, maxBulkBytes, sizeOf);
  let index = await indexOf(false);
  const send = (batch: readonly R[], isLast: boolean) =>
    write((signal) =>
      client.bulk(
        {
          index,
          routing: toTerm(tenant),
          // Without it, the server would create a dropped index again, without our mapping.
          require_alias: true,
          // All rows of a tenant are in one shard, so the last batch shows all of them.
          refresh: isLast,
          operations: batch.flatMap((row) => [
            { index: { _id: `${toTerm(tenant)}.${row.key}` } },
            { ...rowSource(tenant, corpusId, row, version), ...sourceOf(row) },
          ]),
        },
        { signal },
      ),
    );
  for (const [position, batch] of batches.entries()) {
    const isLast = position === batches.length - 1;
    let failure = failureOf(await send(batch, isLast));
    if (failure?.status === 404) {
      index = await indexOf(true);
      failure = failureOf(await send(batch, isLast));
    }
    if (failure !== undefined) throw httpError(name, failure.status, failure.error);
  }
}

function failureOf(reply: estypes.BulkResponse): estypes.BulkResponseItem | undefined {
  if (!reply.errors) return undefined;
  return reply.items.map((done) => done.index).find((done) => done?.error !== undefined);
}

function rowSource(tenant: string, corpusId: number, row: IndexRow, version: number): RowSource {
  return {
    tenant: toTerm(tenant),
    key: row.key,
    corpus_id: corpusId,
    acl_id: row.aclId,
    added_in: version,
    removed_in: forever,
    language: row.language,
    ...(row.updatedMs === undefined ? {} : { updated_ms: row.updatedMs }),
    document_id: row.documentId,
    chunk_id: row.chunkId,
    attributes: attributeTerms(row),
  };
}

/** Returns the number of rows for which a condition holds. */
export async function countRows(
  { client, read }: Elasticsearch,
  index: string,
  tenant: string,
  query: estypes.QueryDslQueryContainer,
  signal: AbortSignal,
): Promise<number> {
  const request = { index, routing: toTerm(tenant), ignore_unavailable: true, query };
  return (await read((running) => client.count(request, { signal: running }), signal)).count;
}

/** Returns the keys above `after` of a corpus's rows, ascending, at most `limit`. */
export async function listRowKeys(
  { client, read }: Elasticsearch,
  index: string,
  tenant: string,
  { corpusId, after, limit }: { corpusId: number; after: number; limit: number },
  signal: AbortSignal,
): Promise<number[]> {
  const query = conditionsOf(tenant, [{ term: { corpus_id: corpusId } }, { range: { key: { gt: after } } }]);
  const keys: number[] = [];
  // A server returns at most 10,000 rows in a reply.
  for (let last = after; keys.length < limit; last = keys.at(-1) as number) {
    const size = Math.min(10_000, limit - keys.length);
    const page = await read(
      (running) =>
        client.search(
          {
            index,
            routing: toTerm(tenant),
            ignore_unavailable: true,
            allow_partial_search_results: false,
            track_total_hits: false,
            _source: false,
            query,
            sort: [{ key: 'asc' }],
            size,
            search_after: [last],
          },
          { signal: running },
        ),
      signal,
    );
    keys.push(...page.hits.hits.map(({ sort }) => Number(sort?.[0])));
    if (page.hits.hits.length < size) break;
  }
  return keys;
}

/**
 * Creates an index and its template if they do not exist. The store writes through an alias with the template's name, so an operator can
 * replace the index behind it (another mapping or number of shards) without a stop.
 */
export async function createIndex(
  { client, write }: Elasticsearch,
  alias: string,
  { shards, replicas }: ElasticsearchSettings,
  index: { settings?: estypes.IndicesIndexSettings; properties: Record<string, estypes.MappingProperty> },
): Promise<void> {
  await write((signal) =>
    client.indices.putIndexTemplate(
      {
        name: alias,
        index_patterns: [`${alias}-*`],
        priority: 500,
        template: {
          settings: {
            number_of_shards: shards,
            number_of_replicas: replicas,
            // Each access list is a term, and a caller may have many.
            'index.max_terms_count': 1_048_576,
            ...index.settings,
          },
          mappings: { dynamic: 'strict', properties: { ...rowMapping, ...index.properties } },
        },
      },
      { signal },
    ),
  );
  await write(async (signal) => {
    const aliases = { [alias]: { is_write_index: true } };
    // 400: another process has created it meanwhile.
    await client.indices.create({ index: `${alias}-1`, aliases }, { signal, ignore: [400] });
  });
}
