import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyLabQuery, type LabQuery, labQueryOf, linkToLab } from './lab-query.ts';
import { placeOf } from './sections.ts';
import { whyLink } from './why-link.ts';

const name = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((text) => !text.includes(',') && text.trim() === text);
const query = fc.record<LabQuery>({
  question: fc.string({ unit: 'grapheme' }),
  corpora: fc.uniqueArray(name, { maxLength: 3 }),
  topK: fc.integer({ min: 1, max: 100 }),
  candidates: fc.integer({ min: 1, max: 200 }),
  vectorWeight: fc.option(fc.constantFrom(0, 0.25, 0.5, 1), { nil: undefined }),
  legs: fc.constantFrom('both', 'vector', 'keyword'),
  fusion: fc.constantFrom('normalised', 'rank'),
  rerank: fc.boolean(),
  diversity: fc.constantFrom(0, 0.3, 1),
  user: fc.string(),
  groups: fc.uniqueArray(name, { maxLength: 3 }),
  reason: fc.string(),
  versions: fc.array(fc.tuple(fc.constantFrom('help', 'a:b', '中文'), fc.bigInt({ min: 0n, max: 999n })), {
    maxLength: 1,
  }),
  corpus: fc.string(),
  documentId: fc.string({ unit: 'grapheme' }),
});

test('the address of a search leads to the same search', () => {
  fc.assert(
    fc.property(query, (search) => {
      const place = placeOf(linkToLab(search).slice(1));
      expect(place?.section).toBe('lab');
      expect(labQueryOf(place?.parts[0] ?? '')).toEqual(search);
    }),
  );
});

test('an address that cannot be read is a search with the defaults', () => {
  expect(labQueryOf('k=many&w=x&d=-1&v=help&legs=all&n=100000')).toEqual({
    ...emptyLabQuery,
    vectorWeight: 0.5,
    candidates: 200,
  });
});

test('"Why?" of an answer opens the versions that it was made from, and not the version of a curated answer', () => {
  const source = { corpus: 'help', version: 7n, chunkId: 'returns.md#1', documentId: 'returns.md' };
  const curated = { corpus: 'shop', version: 1n, chunkId: 'curated/holiday', documentId: 'curated/holiday' };
  const asked = { question: 'and then?', standaloneQuestion: 'when are you open' };
  const link = (sources: Parameters<typeof whyLink>[0]['sources']) =>
    labQueryOf(placeOf(whyLink({ ...asked, sources }).slice(1))?.parts[0] ?? '');
  expect(link([source, curated])).toMatchObject({ question: 'when are you open', versions: [['help', 7n]] });
  expect(link([curated]).versions).toEqual([]);
  expect(link([{ corpus: 'shop', version: 2n }]).versions).toEqual([['shop', 2n]]);
});
