import type { RowFilter } from '../../stores/index-row.ts';
import type { RowTest } from '../vectors/vector-search.ts';
import { eachRow } from './row-changes.ts';
import { attributeText, type RowTable } from './row-table.ts';
import { findString } from './strings.ts';

/** The rows of a table that a search may find. */
export interface RowScope {
  version: number;
  /** Numbers of access lists. */
  aclIds: readonly number[];
  /** `undefined`: no conditions. */
  filter: RowFilter | undefined;
}

/** Returns the test whether a row is in a scope. The test of a row costs a few comparisons. */
export function rowTest(table: RowTable, { version, aclIds: allowed, filter }: RowScope): RowTest {
  const { aclIds, addedIn, removedIn } = table;
  const marks = marksOf(allowed);
  const isVisible: RowTest = (position) =>
    (addedIn[position] as number) <= version &&
    (removedIn[position] as number) > version &&
    marks[aclIds[position] as number] === 1;
  if (filter === undefined) return isVisible;
  const tests = filterTests(table, filter);
  return (position) => isVisible(position) && tests.every((passes) => passes(position));
}

/** Returns a list of numbers as a table: 1 at the numbers that the list has. */
function marksOf(numbers: readonly number[]): Uint8Array {
  const marks = new Uint8Array(Math.max(0, ...numbers) + 1);
  for (const number of numbers) marks[number] = 1;
  return marks;
}

/** Most rows that are scored one by one, and their largest share: reading so many, scattered, costs as much as a scan of the codes. */
const mostListed = 1000;
const mostListedShare = 1 / 128;

/** Returns the positions of the rows of the documents that a filter names, ascending; `undefined` if it names none, or they have many rows. */
export function listedRows(table: RowTable, filter: RowFilter | undefined): number[] | undefined {
  if (filter === undefined || filter.documentIds.length === 0) return undefined;
  const positions: number[] = [];
  eachRow(table, [...new Set(filter.documentIds)], (position) => positions.push(position));
  const isShort = positions.length <= Math.min(mostListed, table.keys.length * mostListedShare);
  return isShort ? positions.sort((a, b) => a - b) : undefined;
}

function filterTests(table: RowTable, filter: RowFilter): RowTest[] {
  const tests: RowTest[] = [];
  const { documents, languages, updatedMs, attributeStarts, attributeIds } = table;
  if (filter.documentIds.length > 0) {
    const wanted = new Set(filter.documentIds.map((id) => findString(table.documentIds, id)));
    tests.push((position) => wanted.has(documents[position] as number));
  }
  if (filter.languages.length > 0) {
    const wanted = new Set(filter.languages);
    tests.push((position) => wanted.has(languages[position] as number));
  }
  for (const { name, values } of filter.attributes) {
    const wanted = new Set(values.map((value) => findString(table.attributes, attributeText(name, value))));
    tests.push((position) => {
      const end = attributeStarts[position + 1] as number;
      for (let at = attributeStarts[position] as number; at < end; at++) {
        if (wanted.has(attributeIds[at] as number)) return true;
      }
      return false;
    });
  }
  // A document without a time is NaN, which is neither above nor below.
  const { updatedFromMs, updatedBeforeMs } = filter;
  if (updatedFromMs !== undefined) tests.push((position) => (updatedMs[position] as number) >= updatedFromMs);
  if (updatedBeforeMs !== undefined) tests.push((position) => (updatedMs[position] as number) < updatedBeforeMs);
  return tests;
}
