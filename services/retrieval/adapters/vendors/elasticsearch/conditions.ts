import type { estypes } from '@elastic/elasticsearch';
import type { SearchScope } from '../../../stores/index-row.ts';
import { attributeTerm, byVersion, chunksOf, type RowCondition, toTerm } from '../../../stores/remote/rows.ts';

// Conditions of requests to Elasticsearch. Tenants share an index. Only `conditionsOf` makes conditions, and it adds the tenant.

/** Most versions in the condition of one search: each needs three clauses, and a server allows 1024. */
const maxVersions = 100;

/** Returns the condition for rows of the tenant for which all of `more` hold. All conditions are made here. */
export function conditionsOf(
  tenant: string,
  more: readonly estypes.QueryDslQueryContainer[],
): estypes.QueryDslQueryContainer {
  return { bool: { filter: [{ term: { tenant: toTerm(tenant) } }, ...more] } };
}

const terms = (field: string, values: readonly (string | number)[]): estypes.QueryDslQueryContainer => ({
  terms: { [field]: [...values] },
});

/** Returns the condition for the rows of a step of a change. */
export function rowCondition(tenant: string, rows: RowCondition): estypes.QueryDslQueryContainer {
  const between = (field: string, range: readonly [number, number] | undefined) =>
    range === undefined ? [] : [{ range: { [field]: { gte: range[0], lte: range[1] } } }];
  return conditionsOf(tenant, [
    { term: { corpus_id: rows.corpusId } },
    ...(rows.documentIds === undefined ? [] : [terms('document_id', rows.documentIds)]),
    ...(rows.keys === undefined ? [] : [terms('key', rows.keys)]),
    ...between('added_in', rows.addedIn),
    ...between('removed_in', rows.removedIn),
    ...(rows.aclIdNot === undefined ? [] : [{ bool: { must_not: [{ term: { acl_id: rows.aclIdNot } }] } }]),
  ]);
}

/**
 * Returns the conditions for the rows that a search may find: one for up to 100 versions, so almost always one; none if no row can be
 * found.
 */
export function scopeConditions(
  tenant: string,
  { corpora, aclIds, filter }: SearchScope,
): estypes.QueryDslQueryContainer[] {
  if (aclIds.length === 0) return [];
  const own: estypes.QueryDslQueryContainer[] = [terms('acl_id', aclIds)];
  if (filter !== undefined) {
    if (filter.documentIds.length > 0) own.push(terms('document_id', filter.documentIds));
    if (filter.languages.length > 0) own.push(terms('language', filter.languages));
    for (const { name, values } of filter.attributes) {
      own.push(
        terms(
          'attributes',
          values.map((value) => attributeTerm(name, value)),
        ),
      );
    }
    if (filter.updatedFromMs !== undefined) own.push({ range: { updated_ms: { gte: filter.updatedFromMs } } });
    if (filter.updatedBeforeMs !== undefined) own.push({ range: { updated_ms: { lt: filter.updatedBeforeMs } } });
  }
  return chunksOf(byVersion(corpora), maxVersions).map((groups) =>
    conditionsOf(tenant, [{ bool: { should: groups.map(versionCondition), minimum_should_match: 1 } }, ...own]),
  );
}

const versionCondition = ({ version, corpusIds }: { version: number; corpusIds: number[] }) => ({
  bool: {
    filter: [
      terms('corpus_id', corpusIds),
      { range: { added_in: { lte: version } } },
      { range: { removed_in: { gt: version } } },
    ],
  },
});

/** Returns the condition for the tenant's rows in a version of a corpus. */
export function versionRows(tenant: string, corpusId: number, version: number): estypes.QueryDslQueryContainer {
  return conditionsOf(tenant, [versionCondition({ version, corpusIds: [corpusId] })]);
}

/** Returns the condition for all rows of the tenant for which `more` holds. */
export function tenantRows(
  tenant: string,
  more: readonly estypes.QueryDslQueryContainer[] = [],
): estypes.QueryDslQueryContainer {
  return conditionsOf(tenant, more);
}
