import type { Collection, FilterValue } from 'weaviate-client';
import { forever, type SearchScope } from '../../../stores/index-row.ts';
import { attributeTerm, byVersion, type RowCondition, toTerm } from '../../../stores/remote/rows.ts';
import type { WeaviateStore } from './connection.ts';

// Conditions of requests to Weaviate, within a tenant's own rows.

/** A text of a row as its filter sees it: one term, whatever it holds. */
export const documentTerm = (documentId: string) => toTerm('document', documentId);

/**
 * Rows of corpora at a version. `removed_in` is only written when a version removes a row, and absence counts as never:
 * the server changes a property by taking the old value out of its index and putting the new one in, and a search
 * between the two must still find the row. (`Not` needs a server from 1.33 on.)
 */
export function versionCondition(
  { Filters }: WeaviateStore,
  { filter }: Collection,
  corpusIds: readonly number[],
  version: number,
): FilterValue {
  return Filters.and(
    filter.byProperty('corpus_id').containsAny([...corpusIds] as never),
    filter.byProperty('added_in').lessOrEqual(version as never),
    Filters.not(filter.byProperty('removed_in').lessOrEqual(version as never)),
  );
}

/** The condition of a step of a change. */
export function rowCondition({ Filters }: WeaviateStore, { filter }: Collection, where: RowCondition): FilterValue {
  const between = (name: string, range: readonly [number, number] | undefined): FilterValue[] =>
    range === undefined
      ? []
      : [
          filter.byProperty(name).greaterOrEqual(range[0] as never),
          filter.byProperty(name).lessOrEqual(range[1] as never),
        ];
  return Filters.and(
    filter.byProperty('corpus_id').equal(where.corpusId as never),
    ...(where.documentIds === undefined
      ? []
      : [filter.byProperty('document').containsAny(where.documentIds.map(documentTerm) as never)]),
    ...(where.keys === undefined ? [] : [filter.byProperty('key').containsAny([...where.keys] as never)]),
    ...between('added_in', where.addedIn),
    ...(where.removedIn?.[0] === forever
      ? [Filters.not(filter.byProperty('removed_in').lessThan(forever as never))]
      : between('removed_in', where.removedIn)),
    ...(where.aclIdNot === undefined ? [] : [filter.byProperty('acl_id').notEqual(where.aclIdNot as never)]),
  );
}

/** The condition of a search; none where nothing can be found. */
export function scopeCondition(
  store: WeaviateStore,
  collection: Collection,
  scope: SearchScope,
): FilterValue | undefined {
  const { Filters } = store;
  const { filter } = collection;
  if (scope.aclIds.length === 0 || scope.corpora.length === 0) return undefined;
  const own: FilterValue[] = [filter.byProperty('acl_id').containsAny([...scope.aclIds] as never)];
  if (scope.filter !== undefined) {
    const { documentIds, languages, attributes, updatedFromMs, updatedBeforeMs } = scope.filter;
    if (documentIds.length > 0)
      own.push(filter.byProperty('document').containsAny(documentIds.map(documentTerm) as never));
    if (languages.length > 0) own.push(filter.byProperty('language').containsAny([...languages] as never));
    for (const { name, values } of attributes) {
      const wanted = values.map((value) => attributeTerm(name, value));
      own.push(filter.byProperty('attributes').containsAny(wanted as never));
    }
    if (updatedFromMs !== undefined) own.push(filter.byProperty('updated_ms').greaterOrEqual(updatedFromMs as never));
    if (updatedBeforeMs !== undefined) own.push(filter.byProperty('updated_ms').lessThan(updatedBeforeMs as never));
  }
  const versions = byVersion(scope.corpora).map(({ version, corpusIds }) =>
    versionCondition(store, collection, corpusIds, version),
  );
  const [first] = versions as [FilterValue];
  return Filters.and(versions.length === 1 ? first : Filters.or(...versions), ...own);
}
