import { expect, test } from 'vitest';
import { HealthFindingKind } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { createContradictionCheck } from './contradictions.ts';
import { createDateCheck } from './dates.ts';
import { createDuplicateCheck } from './duplicates.ts';
import type { CheckedDocument, HealthCheck } from './finding.ts';

const documentOf = (documentId: string, text: string, init: Partial<CheckedDocument> = {}): CheckedDocument => ({
  ...{ documentId, title: 'Returns', attributes: {}, groups: [], chunks: [text], indexedAtMs: 0 },
  ...init,
});
const run = (check: HealthCheck, documents: readonly CheckedDocument[]) => {
  for (const document of documents) check.add(document);
  return check.findings().map(({ kind, evidence, detail }) => ({
    kind,
    detail,
    ids: evidence.map(({ document }) => document.documentId),
  }));
};
const { CONTRADICTION, DUPLICATE, NEAR_DUPLICATE, EXPIRED, REVIEW_DUE } = HealthFindingKind;

test.each([
  ['You can return every article within 14 days.', 'You can return every article within 10 days.'],
  ['我们的客服每天服务到22点，节假日除外。', '我们的客服每天服务到21点，节假日除外。'],
  ['A premium membership costs 99 yuan each year.', 'A premium membership costs ¥109 each year.'],
])('the same statement with another number in two documents of one subject is a contradiction: %s', (a, b) => {
  const found = run(createContradictionCheck(), [documentOf('a', `Hello. ${a}`), documentOf('b', b)]);
  expect(found).toMatchObject([{ kind: CONTRADICTION, ids: ['a', 'b'] }]);
  expect(found[0]?.detail).toContain(' | ');
});

test.each([
  ['of another subject', 'You can return every article within 10 days.', { title: 'Gift cards' }],
  ['that is the same in another notation', 'You can return every article within fourteen days.', {}],
  ['with other words', 'You can exchange every article within 10 days.', {}],
  ['of a few words', 'Within 10 days.', {}],
])('a statement %s is none', (_, text, init) => {
  const first = documentOf('a', 'You can return every article within 14 days. Within 14 days.');
  expect(run(createContradictionCheck(), [first, documentOf('b', text, init)])).toEqual([]);
});

test('statements about other products are none, and a document does not contradict itself', () => {
  const of = (code: string, years: number) => `The warranty of the oven ${code} is ${years} years from delivery.`;
  expect(
    run(createContradictionCheck(), [documentOf('a', of('PPR-9087', 2)), documentOf('b', of('PPR-9088', 3))]),
  ).toEqual([]);
  expect(run(createContradictionCheck(), [documentOf('a', `${of('X-1', 2)} ${of('X-1', 3)}`)])).toEqual([]);
});

test('documents with equal and with nearly equal chunks are found, but not those that differ in a number', () => {
  const text =
    'Parcels are sent by the courier of your region, and you get a message when yours is on its way to you. If no one is at home, the ' +
    'courier leaves it at the shop that is next to you, and the message says until when the shop keeps it and what you must bring.';
  const found = run(createDuplicateCheck(), [
    documentOf('a', text),
    documentOf('b', `  ${text.toUpperCase()}`),
    documentOf('c', text.replace('region', 'regions')),
    documentOf('d', 'Parcels take 3 days to reach the islands, and you pay nothing for their transport at all.'),
    documentOf('e', 'Parcels take 5 days to reach the islands, and you pay nothing for their transport at all.'),
    documentOf('f', 'short', { chunks: ['short', 'short'] }),
  ]);
  expect(found).toEqual([{ kind: NEAR_DUPLICATE, detail: '', ids: ['a', 'b', 'c'] }]);
  expect(run(createDuplicateCheck(), [documentOf('a', text), documentOf('b', text)])).toMatchObject([
    { kind: DUPLICATE, ids: ['a', 'b'] },
  ]);
});

test('days that have passed are found, the longest past first', () => {
  const today = Date.UTC(2026, 10, 20);
  const found = run(createDateCheck(today), [
    documentOf('valid', '', { attributes: { valid_until: '2026-11-20', review_at: '2026-11-21' } }),
    documentOf('late', '', { attributes: { valid_until: '2026-11-19', review_at: '2026-11-20' } }),
    documentOf('older', '', { attributes: { valid_until: '2025-01-01' } }),
    documentOf('odd', '', { attributes: { valid_until: 'soon' } }),
  ]);
  expect(found.map(({ kind, ids }) => [kind, ids[0]])).toEqual([
    [EXPIRED, 'older'],
    [EXPIRED, 'late'],
    [REVIEW_DUE, 'late'],
  ]);
});
