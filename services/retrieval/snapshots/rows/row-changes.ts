import type { Change, IndexRow } from '../../stores/index-row.ts';
import { neverRemoved, noRow, type RowTable } from './row-table.ts';
import { findString } from './strings.ts';

// The changes of rows that are in memory already: the counterpart of `changeStatements` in sqlite/rows.ts, which says what each does.

/**
 * Applies a change to the rows of a table; the new rows of the change are for another table. Returns the positions of the rows that belong
 * to no version after it.
 */
export function markRows(table: RowTable, change: Change<IndexRow>): number[] {
  const { aclIds, addedIn, removedIn, generation } = table;
  const deleted: number[] = [];
  let hasChanged = false;
  const remove = (position: number, version: number) => {
    if (removedIn[position] === version || removedIn[position] === 0) return;
    removedIn[position] = version;
    hasChanged = true;
    if (version === 0) deleted.push(position);
  };
  switch (change.kind) {
    case 'replace':
      eachRow(table, change.documentIds, (position) => {
        if (addedIn[position] === change.version) remove(position, 0);
        else if (removedIn[position] === neverRemoved) remove(position, change.version);
      });
      break;
    case 'retain':
      for (let position = 0; position < removedIn.length; position++) {
        const removed = removedIn[position] as number;
        if ((addedIn[position] as number) > change.newest || removed <= change.oldest) remove(position, 0);
        else if (removed !== neverRemoved && removed > change.newest) remove(position, neverRemoved);
      }
      break;
    case 'purge':
      eachRow(table, change.documentIds, (position) => remove(position, 0));
      break;
    case 'access':
      eachRow(table, change.documentIds, (position) => {
        if ((addedIn[position] as number) <= change.version) aclIds[position] = change.aclId;
      });
      break;
    case 'forget':
      for (const key of change.keys) {
        const position = positionOf(table, key);
        if (position >= 0) remove(position, 0);
      }
      break;
    default:
      return change satisfies never;
  }
  // Searches count the rows of a version again, after the columns have changed.
  if (hasChanged) Atomics.add(generation, 0, 1);
  return deleted;
}

/** Returns the position of a key; -1 if the table does not have it. */
export function positionOf({ keys }: RowTable, key: number): number {
  let low = 0;
  let high = keys.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = keys[middle] as number;
    if (found === key) return middle;
    if (found < key) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Visits the rows of documents. */
export function eachRow(table: RowTable, documentIds: readonly string[], visit: (position: number) => void): void {
  for (const documentId of documentIds) {
    const document = findString(table.documentIds, documentId);
    if (document < 0) continue;
    for (let position = table.firstRows[document] as number; position !== noRow; ) {
      visit(position);
      position = table.nextRows[position] as number;
    }
  }
}
