import { createHash } from 'node:crypto';
import { type Change, forever, type IndexRow, type SearchScope } from '../index-row.ts';

// What the stores that are servers share: a change of a corpus as plain steps that every engine can carry out, a
// scope's corpora as few conditions, and names for anything a caller may call its things.

/** Rows of a corpus: all conditions hold. Ranges hold both ends; an undefined one is no condition. */
export interface RowCondition {
  corpusId: number;
  documentIds?: readonly string[];
  keys?: readonly number[];
  addedIn?: readonly [from: number, to: number];
  removedIn?: readonly [from: number, to: number];
  /** Rows that have another access list than this one. */
  aclIdNot?: number;
}

/** A field of a row that a step changes. */
export type ChangedField = { removedIn: number } | { aclId: number };

/** A step of a change. Each is harmless when done again. */
export type ChangeStep<R extends IndexRow> =
  | { kind: 'delete'; where: RowCondition }
  /** Sets a field. `where` no longer holds for a row that has been changed. */
  | { kind: 'set'; field: ChangedField; where: RowCondition }
  | { kind: 'insert'; version: number; rows: readonly R[] };

/** Documents or keys that one condition names. */
const maxNamed = 500;

/**
 * A change as steps, in their order. Done one after another they leave what the change means; cut off anywhere and
 * begun again too. No step is without a condition beside the corpus, and an empty list gives no step.
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

/** The names of the two fields in the stores that use those of the schema. */
export const columnNames = { removedIn: 'removed_in', aclId: 'acl_id' };

/** A list in parts of at most `maxCount`, and of at most `maxSize` together where `sizeOf` says how large each is. */
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

/** A scope's corpora by the version at which they are read: most stand at few. */
export function byVersion(corpora: SearchScope['corpora']): { version: number; corpusIds: number[] }[] {
  const groups = Map.groupBy(corpora, ({ version }) => version);
  return [...groups].map(([version, group]) => ({ version, corpusIds: group.map(({ corpusId }) => corpusId) }));
}

/**
 * A name for anything: 32 hexadecimal digits, 128 bits of the SHA-256 of the parts. For where an engine restricts
 * names, or reads some characters as its own.
 */
export function toTerm(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** An attribute with its value as one term, for engines that hold terms in a list. */
export function attributeTerm(name: string, value: string): string {
  return toTerm('attribute', name, value);
}

/** The attributes of a row as terms. */
export function attributeTerms({ attributes }: Pick<IndexRow, 'attributes'>): string[] {
  return Object.entries(attributes).map(([name, value]) => attributeTerm(name, value));
}
