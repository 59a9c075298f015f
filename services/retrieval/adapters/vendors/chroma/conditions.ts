import type { RowFilter, SearchScope } from '../../../stores/index-row.ts';
import { byVersion, type RowCondition, toTerm } from '../../../stores/remote/rows.ts';

/** A condition of Chroma: https://docs.trychroma.com/docs/querying-collections/metadata-filtering. */
export type Where = Record<string, unknown>;

/** Returns the metadata field of an attribute. */
export const attributeField = (name: string) => `a_${toTerm(name)}`;

/** Returns the condition for the rows of a version of a corpus. */
export function versionWhere(corpusId: number, version: number): Where {
  return { $and: [{ corpus: corpusId }, ...atVersion(version)] };
}

/** Returns the condition for the rows of a step of a change. Chroma's `$and` needs two conditions at least. */
export function stepWhere({ corpusId, documentIds, keys, addedIn, removedIn, aclIdNot }: RowCondition): Where {
  const conditions: Where[] = [{ corpus: corpusId }];
  if (documentIds !== undefined) conditions.push({ document: { $in: documentIds } });
  if (keys !== undefined) conditions.push({ key: { $in: keys } });
  if (addedIn !== undefined) conditions.push({ added: { $gte: addedIn[0] } }, { added: { $lte: addedIn[1] } });
  if (removedIn !== undefined)
    conditions.push({ removed: { $gte: removedIn[0] } }, { removed: { $lte: removedIn[1] } });
  if (aclIdNot !== undefined) conditions.push({ acl: { $ne: aclIdNot } });
  return { $and: conditions };
}

/** Returns the condition for the rows that a search may find. */
export function scopeWhere({ corpora, aclIds, filter }: SearchScope): Where {
  const versions = byVersion(corpora).map(({ version, corpusIds }) => ({
    $and: [{ corpus: { $in: corpusIds } }, ...atVersion(version)],
  }));
  const among = versions.length === 1 ? (versions[0] as Where) : { $or: versions };
  const conditions = filter === undefined ? [] : filterWhere(filter);
  return { $and: [{ acl: { $in: aclIds } }, { has_vector: true }, among, ...conditions] };
}

const atVersion = (version: number): Where[] => [{ added: { $lte: version } }, { removed: { $gt: version } }];

function filterWhere({ documentIds, languages, attributes, updatedFromMs, updatedBeforeMs }: RowFilter): Where[] {
  const conditions: Where[] = attributes.map(({ name, values }) => ({
    [attributeField(name)]: { $in: values.map((value) => toTerm(value)) },
  }));
  if (documentIds.length > 0) conditions.push({ document: { $in: documentIds } });
  if (languages.length > 0) conditions.push({ language: { $in: languages } });
  if (updatedFromMs !== undefined) conditions.push({ updated: { $gte: updatedFromMs } });
  if (updatedBeforeMs !== undefined) conditions.push({ updated: { $lt: updatedBeforeMs } });
  return conditions;
}
