import type { Collection, FilterValue } from 'weaviate-client';
import { forever, type SearchScope } from '../../../stores/index-row.ts';
import { attributeTerm, byVersion, type RowCondition, toTerm } from '../../../stores/remote/rows.ts';
import type { WeaviateStore } from './connection.ts';

// Conditions of requests to Weaviate, within a tenant's own rows.

/** Returns a document id as one term, whatever characters it has. */
export const documentTerm = (documentId: string) => toTerm('document', documentId);

/**
 * Returns the condition for the rows of corpora at a version. A row without `removed_in` is not removed. The server changes a property by
 * removing the old value from its index and adding the new one, and a search between the two must still find the row; so the property is
 * written only when a version removes the row. (`Not` needs a server from 1.33 on.)
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

/** Returns the condition for the rows of a step of a change. */
export function rowCondition({ Filters }: WeaviateStore, { filter }: Collection, rows: RowCondition): FilterValue {
  const between = (name: string, range: readonly [number, number] | undefined): FilterValue[] =>
    range === undefined
      ? []
      : [
          filter.byProperty(name).greaterOrEqual(range[0] as never),
          filter.byProperty(name).lessOrEqual(range[1] as never),
        ];
  return Filters.and(
    filter.byProperty('corpus_id').equal(rows.corpusId as never),
    ...(rows.documentIds === undefined
      ? []
      : [filter.byProperty('document').containsAny(rows.documentIds.map(documentTerm) as never)]),
    ...(rows.keys === undefined ? [] : [filter.byProperty('key').containsAny([...rows.keys] as never)]),
    ...between('added_in', rows.addedIn),
    ...(rows.removedIn?.[0] === forever
      ? [Filters.not(filter.byProperty('removed_in').lessThan(forever as never))]
      : between('removed_in', rows.removedIn)),
    ...(rows.aclIdNot === undefined ? [] : [filter.byProperty('acl_id').notEqual(rows.aclIdNot as never)]),
  );
}

/** Returns the condition for the rows that a search may find; `undefined` if there can be none. */
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
