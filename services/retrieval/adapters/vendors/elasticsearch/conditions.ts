import type { estypes } from '@elastic/elasticsearch';
import type { SearchScope } from '../../../stores/index-row.ts';
import { attributeTerm, byVersion, chunksOf, type RowCondition, toTerm } from '../../../stores/remote/rows.ts';

// Conditions of requests to Elasticsearch. Tenants share an index; `conditionsOf` puts the tenant into every condition that
// is ever sent.

/** Versions that the conditions of one search name; each takes three clauses, of which a server allows 1024. */
const maxVersions = 100;

/** The one function that makes conditions: `more` hold, and the row is of the tenant. */
export function conditionsOf(
  tenant: string,
  more: readonly estypes.QueryDslQueryContainer[],
): estypes.QueryDslQueryContainer {
  return { bool: { filter: [{ term: { tenant: toTerm(tenant) } }, ...more] } };
}

const terms = (field: string, values: readonly (string | number)[]): estypes.QueryDslQueryContainer => ({
  terms: { [field]: [...values] },
});

/** The condition of a step of a change. */
export function rowCondition(tenant: string, where: RowCondition): estypes.QueryDslQueryContainer {
  const between = (field: string, range: readonly [number, number] | undefined) =>
    range === undefined ? [] : [{ range: { [field]: { gte: range[0], lte: range[1] } } }];
  return conditionsOf(tenant, [
    { term: { corpus_id: where.corpusId } },
    ...(where.documentIds === undefined ? [] : [terms('document_id', where.documentIds)]),
    ...(where.keys === undefined ? [] : [terms('key', where.keys)]),
    ...between('added_in', where.addedIn),
    ...between('removed_in', where.removedIn),
    ...(where.aclIdNot === undefined ? [] : [{ bool: { must_not: [{ term: { acl_id: where.aclIdNot } }] } }]),
  ]);
}

/** The conditions of a search: one for some hundred versions, so almost always one. None where nothing can be found. */
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

/** Rows of the tenant that a version of a corpus holds. */
export function versionRows(tenant: string, corpusId: number, version: number): estypes.QueryDslQueryContainer {
  return conditionsOf(tenant, [versionCondition({ version, corpusIds: [corpusId] })]);
}

/** All rows of the tenant for which `more` holds. */
export function tenantRows(
  tenant: string,
  more: readonly estypes.QueryDslQueryContainer[] = [],
): estypes.QueryDslQueryContainer {
  return conditionsOf(tenant, more);
}
