import { forever, type SearchScope } from '../../../stores/index-row.ts';
import { attributeTerm, byVersion, type RowCondition, toTerm } from '../../../stores/remote/rows.ts';

// Expressions for Milvus. Tenants share a collection, split by tenant (its partition key); `expressionOf` puts the tenant
// into every expression that is ever sent. Expressions hold numbers and hexadecimal terms only, so no text of a caller is
// ever part of one.

/** `updated_ms` of a document without a time. */
export const noTime = -forever;

const list = (values: readonly (number | string)[]) => `[${values.map((value) => JSON.stringify(value)).join(',')}]`;

/** The one function that makes expressions: the row is of the tenant, and all of `conditions` hold. */
export function expressionOf(tenant: string, conditions: readonly string[]): string {
  return [`tenant == "${toTerm(tenant)}"`, ...conditions].join(' and ');
}

export const documentTerm = (documentId: string) => toTerm('document', documentId);

/** The expression of a step of a change. */
export function rowExpression(tenant: string, where: RowCondition): string {
  const between = (field: string, range: readonly [number, number] | undefined) =>
    range === undefined ? [] : [`${field} >= ${range[0]}`, `${field} <= ${range[1]}`];
  return expressionOf(tenant, [
    `corpus_id == ${where.corpusId}`,
    ...(where.documentIds === undefined ? [] : [`document in ${list(where.documentIds.map(documentTerm))}`]),
    ...(where.keys === undefined ? [] : [`key in ${list(where.keys)}`]),
    ...between('added_in', where.addedIn),
    ...between('removed_in', where.removedIn),
    ...(where.aclIdNot === undefined ? [] : [`acl_id != ${where.aclIdNot}`]),
  ]);
}

/** The expression of a search; none where nothing can be found. */
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
