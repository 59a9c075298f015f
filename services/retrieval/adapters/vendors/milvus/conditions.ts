import { forever, type SearchScope } from '../../../stores/index-row.ts';
import { attributeTerm, byVersion, type RowCondition, toTerm } from '../../../stores/remote/rows.ts';

// Expressions for Milvus. Tenants share a collection, with the tenant as partition key. Only `expressionOf` makes expressions, and it adds the
// tenant. Expressions contain only numbers and hexadecimal terms, never a caller's text.

/** The `updated_ms` of a document without a time. */
export const noTime = -forever;

const list = (values: readonly (number | string)[]) => `[${values.map((value) => JSON.stringify(value)).join(',')}]`;

/** Returns the expression for rows of the tenant for which all of `conditions` hold. All expressions are made here. */
export function expressionOf(tenant: string, conditions: readonly string[]): string {
  return [`tenant == "${toTerm(tenant)}"`, ...conditions].join(' and ');
}

export const documentTerm = (documentId: string) => toTerm('document', documentId);

/** Returns the expression for the rows of a step of a change. */
export function rowExpression(tenant: string, rows: RowCondition): string {
  const between = (field: string, range: readonly [number, number] | undefined) =>
    range === undefined ? [] : [`${field} >= ${range[0]}`, `${field} <= ${range[1]}`];
  return expressionOf(tenant, [
    `corpus_id == ${rows.corpusId}`,
    ...(rows.documentIds === undefined ? [] : [`document in ${list(rows.documentIds.map(documentTerm))}`]),
    ...(rows.keys === undefined ? [] : [`key in ${list(rows.keys)}`]),
    ...between('added_in', rows.addedIn),
    ...between('removed_in', rows.removedIn),
    ...(rows.aclIdNot === undefined ? [] : [`acl_id != ${rows.aclIdNot}`]),
  ]);
}

/** Returns the expression for the rows that a search may find; `undefined` if there can be none. */
export function scopeExpression(tenant: string, { corpora, aclIds, filter }: SearchScope): string | undefined {
  if (corpora.length === 0 || aclIds.length === 0) return undefined;
  const versions = byVersion(corpora).map(
    ({ version, corpusIds }) =>
      `(corpus_id in ${list(corpusIds)} and added_in <= ${version} and removed_in > ${version})`,
  );
  const conditions = [`(${versions.join(' or ')})`, `acl_id in ${list(aclIds)}`];
  if (filter !== undefined) {
    if (filter.documentIds.length > 0) conditions.push(`document in ${list(filter.documentIds.map(documentTerm))}`);
    if (filter.languages.length > 0) conditions.push(`language in ${list(filter.languages)}`);
    for (const { name, values } of filter.attributes) {
      const wanted = values.map((value) => attributeTerm(name, value));
      conditions.push(`array_contains_any(attributes, ${list(wanted)})`);
    }
    if (filter.updatedFromMs !== undefined) conditions.push(`updated_ms >= ${filter.updatedFromMs}`);
    if (filter.updatedBeforeMs !== undefined) conditions.push(`updated_ms < ${filter.updatedBeforeMs}`);
    if (filter.updatedFromMs !== undefined || filter.updatedBeforeMs !== undefined) {
      conditions.push(`updated_ms > ${noTime}`);
    }
  }
  return expressionOf(tenant, conditions);
}
