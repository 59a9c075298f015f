import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Change, forever, type IndexRow } from '../index-row.ts';
import { attributeTerm, byVersion, changeSteps, chunksOf, type RowCondition, toTerm } from './rows.ts';

/** A row of a store that carries steps out one by one. */
interface Stored {
  key: number;
  aclId: number;
  documentId: string;
  addedIn: number;
  removedIn: number;
}

const rowOf = (key: number, documentId: string): IndexRow => ({
  key,
  chunkId: `c${key}`,
  documentId,
  aclId: 1,
  language: 0,
  updatedMs: undefined,
  attributes: {},
});

function isTouched(row: Stored, { documentIds, keys, addedIn, removedIn, aclIdNot }: RowCondition): boolean {
  const within = (version: number, range: readonly [number, number] | undefined) =>
    range === undefined || (version >= range[0] && version <= range[1]);
  return (
    (documentIds === undefined || documentIds.includes(row.documentId)) &&
    (keys === undefined || keys.includes(row.key)) &&
    within(row.addedIn, addedIn) &&
    within(row.removedIn, removedIn) &&
    row.aclId !== aclIdNot
  );
}

/** Carries out the first `count` steps of a change. */
function carryOut(rows: Stored[], change: Change<IndexRow>, count = Number.POSITIVE_INFINITY): Stored[] {
  let stored = rows;
  for (const [index, step] of changeSteps(1, change).entries()) {
    if (index >= count) break;
    if (step.kind === 'insert') {
      const added = step.rows.map(({ key, aclId, documentId }) => ({
        key,
        aclId,
        documentId,
        addedIn: step.version,
        removedIn: forever,
      }));
      stored = [...stored.filter(({ key }) => !added.some((row) => row.key === key)), ...added];
    } else if (step.kind === 'delete') {
      stored = stored.filter((row) => !isTouched(row, step.where));
    } else {
      stored = stored.map((row) => (isTouched(row, step.where) ? { ...row, ...step.field } : row));
    }
  }
  return stored;
}

/** What a version holds. */
const heldBy = (rows: readonly Stored[], version: number) =>
  rows
    .filter(({ addedIn, removedIn }) => addedIn <= version && version < removedIn)
    .map(({ key }) => key)
    .toSorted((a, b) => a - b);

const documents = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 });

test('steps leave what each version holds, cut off anywhere and begun again too', () => {
  fc.assert(
    fc.property(fc.array(documents, { minLength: 1, maxLength: 6 }), fc.nat(6), (versions, cutAt) => {
      let rows: Stored[] = [];
      let held = new Map<string, number[]>();
      let key = 0;
      for (const [index, documentIds] of versions.entries()) {
        const version = index + 1;
        const before = heldBy(rows, version - 1);
        const written = documentIds.flatMap((documentId) => [rowOf(++key, documentId), rowOf(++key, documentId)]);
        const change = { kind: 'replace', version, documentIds, rows: written } as const;
        rows = carryOut(carryOut(rows, change, cutAt), change);
        // The version before is as it was.
        expect(heldBy(rows, version - 1)).toEqual(before);
        held = new Map(held);
        for (const documentId of documentIds) {
          held.set(
            documentId,
            written.filter((row) => row.documentId === documentId).map((row) => row.key),
          );
        }
        expect(heldBy(rows, version)).toEqual([...held.values()].flat().toSorted((a, b) => a - b));
      }
      const newest = versions.length;
      const oldest = Math.max(1, newest - 2);
      const kept = [oldest, newest - 1 || 1].map((version) => heldBy(rows, version));
      const retain = { kind: 'retain', oldest, newest: newest - 1 || 1 } as const;
      rows = carryOut(carryOut(rows, retain, cutAt), retain);
      expect([oldest, newest - 1 || 1].map((version) => heldBy(rows, version))).toEqual(kept);
      // Nothing of the dropped versions is left, and the newest kept version continues.
      expect(heldBy(rows, newest + 5)).toEqual(kept[1]);
    }),
  );
});

test('an access list goes to every version up to its own, and a changed row no longer meets the condition', () => {
  const documentIds = ['a'];
  let rows: Stored[] = [];
  for (const [index, documentId] of ['a', 'b', 'a', 'a'].entries()) {
    const version = index + 1;
    rows = carryOut(rows, { kind: 'replace', version, documentIds: [documentId], rows: [rowOf(version, documentId)] });
  }
  const change = { kind: 'access', version: 3, documentIds, aclId: 9 } as const;
  const changed = carryOut(rows, change);
  expect(changed.map(({ aclId }) => aclId)).toEqual([9, 1, 9, 1]);
  expect([1, 2, 3, 4].map((version) => heldBy(changed, version))).toEqual(
    [1, 2, 3, 4].map((version) => heldBy(rows, version)),
  );
  const [step] = changeSteps(1, change);
  expect(step?.kind).toBe('set');
  if (step?.kind === 'set') expect(changed.some((row) => isTouched(row, step.where))).toBe(false);
});

test('an empty list gives no step, and every step names more than its corpus', () => {
  expect(changeSteps(1, { kind: 'purge', documentIds: [] })).toEqual([]);
  expect(changeSteps(1, { kind: 'forget', keys: [] })).toEqual([]);
  expect(changeSteps(1, { kind: 'access', version: 1, documentIds: [], aclId: 1 })).toEqual([]);
  expect(changeSteps(1, { kind: 'replace', version: 1, documentIds: [], rows: [] })).toEqual([]);
  const changes: Change<IndexRow>[] = [
    { kind: 'replace', version: 3, documentIds: Array.from({ length: 1201 }, (_, index) => `d${index}`), rows: [] },
    { kind: 'retain', oldest: 0, newest: 0 },
    { kind: 'purge', documentIds: ['a'] },
    { kind: 'forget', keys: [1] },
    { kind: 'access', version: 2, documentIds: ['a'], aclId: 5 },
  ];
  const steps = changes.flatMap((change) => changeSteps(7, change));
  expect(steps).toHaveLength(3 + 3 + 3 + 1 + 1 + 1);
  for (const step of steps) {
    if (step.kind === 'insert') continue;
    const { corpusId, documentIds, keys, addedIn, removedIn } = step.where;
    expect(corpusId).toBe(7);
    expect([documentIds, keys, addedIn, removedIn].some((condition) => condition !== undefined)).toBe(true);
    expect(documentIds?.length ?? 1).toBeGreaterThan(0);
    expect(documentIds?.length ?? 1).toBeLessThanOrEqual(500);
  }
});

test('chunks keep the order, the count and the size', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(10)),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 10, max: 30 }),
      (list, maxCount, maxSize) => {
        const chunks = chunksOf(list, maxCount, maxSize, (size) => size);
        expect(chunks.flat()).toEqual(list);
        for (const chunk of chunks) {
          expect(chunk.length).toBeLessThanOrEqual(maxCount);
          expect(chunk.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(maxSize);
        }
      },
    ),
  );
  expect(chunksOf([100], 5, 10, (size) => size)).toEqual([[100]]);
});

test('terms distinguish any texts and contain only hexadecimal digits', () => {
  expect(toTerm('a', 'bc')).not.toBe(toTerm('ab', 'c'));
  expect(attributeTerm('a', '')).not.toBe(attributeTerm('', 'a'));
  expect(toTerm('租户 😀')).toMatch(/^[0-9a-f]{32}$/);
});

test('corpora at the same version are one condition', () => {
  const corpora = [
    { corpusId: 1, version: 5 },
    { corpusId: 2, version: 6 },
    { corpusId: 3, version: 5 },
  ];
  expect(byVersion(corpora)).toEqual([
    { version: 5, corpusIds: [1, 3] },
    { version: 6, corpusIds: [2] },
  ]);
});
