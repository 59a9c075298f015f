import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { attacks, harmless } from '../../../testing/injections.ts';
import { adapter } from './index.ts';
import { signsOf } from './signs.ts';

const guardrail = await adapter.create({ min_score: 0.5 }, undefined as never);
const found = async (texts: readonly string[]) => {
  const all = await guardrail.check(texts, new AbortController().signal);
  return texts.filter((_, index) => (all[index] ?? []).length > 0);
};

// The README has these figures.
test('of 60 attacks at most 5 are missed, and of 50 harmless texts with the same words none is found', async () => {
  expect(attacks.length - (await found(attacks)).length).toBeLessThanOrEqual(5);
  expect(await found(harmless)).toEqual([]);
});

const deployments = new URL('../../../../../deployments/', import.meta.url);
const linesOf = (path: string) => readFileSync(new URL(path, deployments), 'utf8').trim().split('\n');
test('no question of the sample, and no paragraph of its documents, is found', async () => {
  const questions = ['queries', 'unanswerable'].flatMap((name) =>
    linesOf(`sample-gold/${name}.jsonl`).map((line) => (JSON.parse(line) as { text: string }).text),
  );
  expect(questions.length).toBeGreaterThan(80);
  expect(await found(questions)).toEqual([]);
  const paths = readdirSync(new URL('sample/', deployments), { recursive: true }).map(String);
  const paragraphs = paths
    .filter((path) => /\.(md|txt|csv|jsonl|html)$/.test(path))
    .flatMap((path) => readFileSync(new URL(`sample/${path}`, deployments), 'utf8').split(/\n\s*\n/));
  expect(paragraphs.length).toBeGreaterThan(500);
  expect(await found(paragraphs)).toEqual([]);
});

test('any text is read in linear time', () => {
  const piece = fc.constantFrom(
    'ignore ',
    'all ',
    'the ',
    'send ',
    'repeat ',
    'when asked ',
    'a ',
    '把',
    '系统',
    'i g ',
    '<|',
    'QUJD',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
      const text = pieces.join('').repeat(Math.ceil(40_000 / pieces.join('').length));
      const before = threadCpuMs();
      signsOf(text);
      expect(threadCpuMs() - before).toBeLessThan(2000);
    }),
    { numRuns: 60 },
  );
});
