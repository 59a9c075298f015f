import fc from 'fast-check';
import type { IndexRow, RowFilter } from '../stores/index-row.ts';

// Random rows and filters, and a model of the filter, for the suites of both stores.

const names = fc.constantFrom('kind', '"', 'a.b');
const values = ['x', "y' OR 1", ''];
const time = fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined });

/** The fields of a row that conditions read. */
export const anyRow = fc.record({
  documentId: fc.integer({ min: 0, max: 9 }).map((number) => `d${number}`),
  aclId: fc.integer({ min: 1, max: 3 }),
  language: fc.integer({ min: 0, max: 2 }),
  updatedMs: time,
  attributes: fc.dictionary(names, fc.constantFrom(...values), { maxKeys: 2 }),
});

/** Filters, most with few conditions. */
export const anyFilter: fc.Arbitrary<RowFilter> = fc.record({
  documentIds: fc.subarray(['d1', 'd2', 'd3']),
  languages: fc.subarray([0, 1, 2]),
  attributes: fc.array(fc.record({ name: names, values: fc.subarray(values, { minLength: 1 }) }), { maxLength: 2 }),
  updatedFromMs: time,
  updatedBeforeMs: time,
});

/** Returns whether a row passes a filter: the model of every store. */
export function passes(
  row: Pick<IndexRow, 'documentId' | 'language' | 'updatedMs' | 'attributes'>,
  { documentIds, languages, attributes, updatedFromMs, updatedBeforeMs }: RowFilter,
): boolean {
  return (
    (documentIds.length === 0 || documentIds.includes(row.documentId)) &&
    (languages.length === 0 || languages.includes(row.language)) &&
    attributes.every(({ name, values }) => {
      const value = Object.hasOwn(row.attributes, name) ? row.attributes[name] : undefined;
      return value !== undefined && values.includes(value);
    }) &&
    (updatedFromMs === undefined || (row.updatedMs !== undefined && row.updatedMs >= updatedFromMs)) &&
    (updatedBeforeMs === undefined || (row.updatedMs !== undefined && row.updatedMs < updatedBeforeMs))
  );
}
