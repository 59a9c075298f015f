import type { SearchScope } from '../../../stores/index-row.ts';
import { attributeTerm, byVersion, chunksOf, type RowCondition, toTerm } from '../../../stores/remote/rows.ts';

// Conditions of statements. All tenants share a table, and every condition begins with the tenant. All values are bound; no text of a caller
// becomes SQL.

/** The values of a statement, in order. */
export interface Values {
  readonly list: unknown[];
  /** Adds a value of an SQL type and returns its place: "$3::bigint". */
  bind(value: unknown, type: string): string;
}

/** A condition that binds its values into a statement. */
export type Condition = (values: Values) => string;

/** Most versions in the condition of one search. */
const maxVersions = 100;

/** Creates the values of a statement. */
export function createValues(): Values {
  const list: unknown[] = [];
  return { list, bind: (value, type) => `$${list.push(value)}::${type}` };
}

/** Returns a tenant as the tables have it: 128 bits of its SHA-256, so that no name needs a table of its own. */
export function tenantId(tenant: string): string {
  return toTerm(tenant);
}

/** Returns the condition for the tenant's rows for which all of `more` hold. All conditions are made here. */
function conditionsOf(values: Values, tenant: string, more: readonly string[]): string {
  return [`tenant = ${values.bind(tenantId(tenant), 'uuid')}`, ...more].join(' AND ');
}

const anyOf = (values: Values, column: string, list: readonly unknown[], type: string) =>
  `${column} = ANY(${values.bind(list, `${type}[]`)})`;

/** Returns the condition for the rows of a step of a change. */
export function rowCondition(values: Values, tenant: string, rows: RowCondition): string {
  const between = (column: string, range: readonly [number, number] | undefined) =>
    range === undefined
      ? []
      : [`${column} BETWEEN ${values.bind(range[0], 'bigint')} AND ${values.bind(range[1], 'bigint')}`];
  return conditionsOf(values, tenant, [
    `corpus_id = ${values.bind(rows.corpusId, 'integer')}`,
    ...(rows.documentIds === undefined ? [] : [anyOf(values, 'document_id', rows.documentIds, 'text')]),
    ...(rows.keys === undefined ? [] : [anyOf(values, 'key', rows.keys, 'bigint')]),
    ...between('added_in', rows.addedIn),
    ...between('removed_in', rows.removedIn),
    ...(rows.aclIdNot === undefined ? [] : [`acl_id <> ${values.bind(rows.aclIdNot, 'integer')}`]),
  ]);
}

/** Returns the condition for the tenant's rows in a version of a corpus. */
export function versionRows(values: Values, tenant: string, corpusId: number, version: number): string {
  const inVersion = versionCondition(values, { version, corpusIds: [corpusId] });
  return conditionsOf(values, tenant, [inVersion]);
}

/**
 * Returns the conditions for the rows that a search may find: one for up to 100 versions, so almost always one; none if no row can be
 * found.
 */
export function scopeConditions(tenant: string, { corpora, aclIds, filter }: SearchScope): Condition[] {
  if (aclIds.length === 0) return [];
  const own = (values: Values): string[] => {
    const conditions = [anyOf(values, 'acl_id', aclIds, 'integer')];
    if (filter === undefined) return conditions;
    if (filter.documentIds.length > 0) conditions.push(anyOf(values, 'document_id', filter.documentIds, 'text'));
    if (filter.languages.length > 0) conditions.push(anyOf(values, 'language', filter.languages, 'integer'));
    for (const { name, values: accepted } of filter.attributes) {
      const terms = accepted.map((value) => attributeTerm(name, value));
      conditions.push(`attributes && ${values.bind(terms, 'uuid[]')}`);
    }
    const { updatedFromMs, updatedBeforeMs } = filter;
    if (updatedFromMs !== undefined) conditions.push(`updated_ms >= ${values.bind(updatedFromMs, 'bigint')}`);
    if (updatedBeforeMs !== undefined) conditions.push(`updated_ms < ${values.bind(updatedBeforeMs, 'bigint')}`);
    return conditions;
  };
  return chunksOf(byVersion(corpora), maxVersions).map((groups) => (values: Values) => {
    const versions = groups.map((group) => versionCondition(values, group));
    const inVersions = versions.length === 1 ? (versions[0] as string) : `(${versions.join(' OR ')})`;
    return conditionsOf(values, tenant, [inVersions, ...own(values)]);
  });
}

function versionCondition(
  values: Values,
  { version, corpusIds }: { version: number; corpusIds: readonly number[] },
): string {
  const at = values.bind(version, 'bigint');
  return `(${anyOf(values, 'corpus_id', corpusIds, 'integer')} AND added_in <= ${at} AND removed_in > ${at})`;
}
