import type { RowFilter, SearchScope } from '../../../stores/index-row.ts';
import { attributeTerm, byVersion, type RowCondition } from '../../../stores/remote/rows.ts';

// Conditions of Qdrant. Every filter begins with the tenant: only `tenantFilter` makes filters.

/** A condition of a filter. */
export type Condition =
  | { key: string; match: { value: string | number } | { any: string[] } | { any: number[] } }
  | { key: string; range: { gte?: number; gt?: number; lte?: number; lt?: number } }
  | { must: Condition[] }
  | { must_not: Condition[] }
  | { should: Condition[] };

/** Returns a filter for points of one tenant. */
export function tenantFilter(tenant: string, conditions: readonly Condition[]): { must: Condition[] } {
  return { must: [is('tenant', tenant), ...conditions] };
}

/** Returns a filter for points of a corpus: those of a version, or those with keys above `after`. */
export function corpusFilter(tenant: string, corpusId: number, of: { version: number } | { after: number }) {
  const conditions = 'version' in of ? atVersion(of.version) : [{ key: 'key', range: { gt: of.after } }];
  return tenantFilter(tenant, [is('corpus_id', corpusId), ...conditions]);
}

/** Returns a filter for the points of a step of a change. */
export function stepFilter(
  tenant: string,
  { corpusId, documentIds, keys, addedIn, removedIn, aclIdNot }: RowCondition,
) {
  const conditions: Condition[] = [is('corpus_id', corpusId)];
  if (documentIds !== undefined) conditions.push(oneOfTexts('document_id', documentIds));
  if (keys !== undefined) conditions.push(oneOf('key', keys));
  if (addedIn !== undefined) conditions.push({ key: 'added_in', range: { gte: addedIn[0], lte: addedIn[1] } });
  if (removedIn !== undefined) conditions.push({ key: 'removed_in', range: { gte: removedIn[0], lte: removedIn[1] } });
  if (aclIdNot !== undefined) conditions.push({ must_not: [is('acl_id', aclIdNot)] });
  return tenantFilter(tenant, conditions);
}

/** Returns a filter for the points that a search may find. */
export function scopeFilter(tenant: string, { corpora, aclIds, filter }: SearchScope) {
  const versions = byVersion(corpora).map(({ version, corpusIds }) => ({
    must: [oneOf('corpus_id', corpusIds), ...atVersion(version)],
  }));
  const among: Condition[] = versions.length === 1 ? (versions[0]?.must ?? []) : [{ should: versions }];
  return tenantFilter(tenant, [oneOf('acl_id', aclIds), ...among, ...callerConditions(filter)]);
}

function callerConditions(filter: RowFilter | undefined): Condition[] {
  if (filter === undefined) return [];
  const conditions: Condition[] = [];
  const { documentIds, languages, attributes, updatedFromMs, updatedBeforeMs } = filter;
  if (documentIds.length > 0) conditions.push(oneOfTexts('document_id', documentIds));
  if (languages.length > 0) conditions.push(oneOf('language', languages));
  for (const { name, values } of attributes) {
    conditions.push(
      oneOfTexts(
        'attributes',
        values.map((value) => attributeTerm(name, value)),
      ),
    );
  }
  if (updatedFromMs !== undefined) conditions.push({ key: 'updated_ms', range: { gte: updatedFromMs } });
  if (updatedBeforeMs !== undefined) conditions.push({ key: 'updated_ms', range: { lt: updatedBeforeMs } });
  return conditions;
}

const is = (key: string, value: string | number): Condition => ({ key, match: { value } });
const oneOf = (key: string, values: readonly number[]): Condition => ({ key, match: { any: [...values] } });
const oneOfTexts = (key: string, values: readonly string[]): Condition => ({ key, match: { any: [...values] } });

const atVersion = (version: number): Condition[] => [
  { key: 'added_in', range: { lte: version } },
  { key: 'removed_in', range: { gt: version } },
];
