import { createHash } from 'node:crypto';
import { type Change, forever, type IndexRow, type SearchScope } from '../index-row.ts';

// Shared by the stores that are servers: a change of a corpus as simple steps that every engine can apply, a scope's corpora as few conditions,
// and terms for names that a caller chooses freely.

/** Selects rows of a corpus for which all conditions hold. Ranges include both ends; `undefined` is no condition. */
export interface RowCondition {
  corpusId: number;
  documentIds?: readonly string[];
  keys?: readonly number[];
  addedIn?: readonly [from: number, to: number];
  removedIn?: readonly [from: number, to: number];
  /** Only rows with another access list than this one. */
  aclIdNot?: number;
}

/** The field that a step sets. */
export type ChangedField = { removedIn: number } | { aclId: number };

/** A step of a change. Each is idempotent. */
export type ChangeStep<R extends IndexRow> =
  | { kind: 'delete'; where: RowCondition }
  /** Sets a field. A row that has been changed no longer matches the condition. */
  | { kind: 'set'; field: ChangedField; where: RowCondition }
  | { kind: 'insert'; version: number; rows: readonly R[] };

/** Most documents or keys of one condition. */
const maxNamed = 500;

/**
 * Returns a change as steps. Applied in order they have the effect of the change, also if they are interrupted and applied again from the
 * first. Every step has a condition beside the corpus; an empty list gives no step.
 */
export function changeSteps<R extends IndexRow>(corpusId: number, change: Change<R>): ChangeStep<R>[] {
  switch (change.kind) {
    case 'replace': {
      const { version, rows } = change;
      const parts = chunksOf(change.documentIds, maxNamed);
      return [
        ...parts.map((documentIds) => remove({ corpusId, documentIds, addedIn: [version, version] })),
        ...parts.map((documentIds) => setRemovedIn(version, { corpusId, documentIds, removedIn: [forever, forever] })),
        ...(rows.length === 0 ? [] : [{ kind: 'insert', version, rows } as const]),
      ];
    }
    case 'retain': {
      const { oldest, newest } = change;
      return [
        remove({ corpusId, addedIn: [newest + 1, forever] }),
        remove({ corpusId, removedIn: [0, oldest] }),
        setRemovedIn(forever, { corpusId, removedIn: [newest + 1, forever - 1] }),
      ];
    }
    case 'purge':
      return chunksOf(change.documentIds, maxNamed).map((documentIds) => remove({ corpusId, documentIds }));
    case 'access': {
      const { version, aclId } = change;
      return chunksOf(change.documentIds, maxNamed).map((documentIds) => ({
        kind: 'set',
        field: { aclId },
        where: { corpusId, documentIds, addedIn: [0, version], aclIdNot: aclId },
      }));
    }
    case 'forget':
      return chunksOf(change.keys, maxNamed).map((keys) => remove({ corpusId, keys }));
    default:
      return change satisfies never;
  }
}

const remove = (where: RowCondition) => ({ kind: 'delete', where }) as const;
const setRemovedIn = (removedIn: number, where: RowCondition) =>
  ({ kind: 'set', field: { removedIn }, where }) as const;

/** Returns the changed field under a store's own names for the two fields. */
export function changedColumn(
  field: ChangedField,
  names: { removedIn: string; aclId: string },
): [name: string, value: number] {
  return 'aclId' in field ? [names.aclId, field.aclId] : [names.removedIn, field.removedIn];
}

/** The names of the two fields in most stores. */
export const columnNames = { removedIn: 'removed_in', aclId: 'acl_id' };

/** Returns a list in parts of at most `maxCount` elements, and of at most `maxSize` by `sizeOf`. */
export function chunksOf<T>(
  list: readonly T[],
  maxCount: number,
  maxSize = Number.POSITIVE_INFINITY,
  sizeOf: (of: T) => number = () => 0,
): T[][] {
  const chunks: T[][] = [];
  let size = 0;
  for (const one of list) {
    const last = chunks.at(-1);
    const more = sizeOf(one);
    if (last === undefined || last.length >= maxCount || size + more > maxSize) {
      chunks.push([one]);
      size = more;
    } else {
      last.push(one);
      size += more;
    }
  }
  return chunks;
}

/** Returns a scope's corpora grouped by version: there are few different versions. */
export function byVersion(corpora: SearchScope['corpora']): { version: number; corpusIds: number[] }[] {
  const groups = Map.groupBy(corpora, ({ version }) => version);
  return [...groups].map(([version, group]) => ({ version, corpusIds: group.map(({ corpusId }) => corpusId) }));
}

/**
 * Returns a term for any text: 32 hexadecimal digits, 128 bits of the SHA-256 of the parts. For engines that restrict names or interpret
 * some characters.
 */
export function toTerm(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** Returns an attribute with its value as one term, for engines with a list of terms. */
export function attributeTerm(name: string, value: string): string {
  return toTerm('attribute', name, value);
}

/** Returns the attributes of a row as terms. */
export function attributeTerms({ attributes }: Pick<IndexRow, 'attributes'>): string[] {
  return Object.entries(attributes).map(([name, value]) => attributeTerm(name, value));
}
