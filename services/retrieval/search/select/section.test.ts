import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { PassageRecord } from '../../catalog/passage-record.ts';
import { type RetrievalMesh, startRetrieval, toChunk } from '../../testing/retrieval.ts';
import { sectionAround } from './section.ts';

const chunk = (ordinal: number, heading: string, text = `Sentence number ${ordinal}.`): PassageRecord => ({
  ...{ key: ordinal + 1, chunkId: `c${ordinal}`, ordinal, language: 2, startOffset: 0, endOffset: text.length },
  ...{ headingPath: ['Guide', heading], text, documentId: 'd', title: 'D', url: '', corpusId: 1 },
});
const around = (heading: string, ...ordinals: number[]) => ordinals.map((ordinal) => chunk(ordinal, heading));
const ordinalsOf = (records: readonly PassageRecord[]) => records.map(({ ordinal }) => ordinal);

test('a section ends at another heading, and at a chunk that is missing', () => {
  const others = [...around('A', 0), ...around('B', 1, 2), ...around('B', 4, 5), ...around('C', 6), ...around('B', 7)];
  expect(ordinalsOf(sectionAround(chunk(3, 'B'), others, 1000))).toEqual([1, 2, 4, 5]);
  expect(ordinalsOf(sectionAround(chunk(3, 'B'), around('B', 1, 4, 6), 1000))).toEqual([4]);
});

test('the nearest chunks come first, and a long one does not hide the other side', () => {
  const one = estimateTokens(chunk(0, 'B').text);
  expect(ordinalsOf(sectionAround(chunk(3, 'B'), around('B', 1, 2, 4, 5), one * 3))).toEqual([2, 4]);
  const long = chunk(4, 'B', 'word '.repeat(500));
  expect(ordinalsOf(sectionAround(chunk(3, 'B'), [...around('B', 1, 2), long], one * 3))).toEqual([1, 2]);
});

test('whatever is around it, a section is without gaps and within its limit', () => {
  const texts = fc.array(fc.tuple(fc.nat(20), fc.constantFrom('A', 'B'), fc.nat(60)), { maxLength: 20 });
  fc.assert(
    fc.property(texts, fc.nat(200), (parts, maxTokens) => {
      const byOrdinal = new Map(parts.map(([ordinal, heading, words]) => [ordinal, [heading, words] as const]));
      byOrdinal.delete(10);
      const others = [...byOrdinal]
        .sort(([a], [b]) => a - b)
        .map(([ordinal, [heading, words]]) => chunk(ordinal, heading, 'word '.repeat(words)));
      const center = chunk(10, 'A');
      const section = sectionAround(center, others, maxTokens);
      const all = [...section, center].sort((a, b) => a.ordinal - b.ordinal);
      for (const [index, { ordinal, headingPath }] of all.entries()) {
        expect(ordinal).toBe((all[0]?.ordinal ?? 0) + index);
        expect(headingPath).toEqual(center.headingPath);
      }
      const tokens = all.reduce((sum, { text }) => sum + estimateTokens(text), 0);
      if (section.length > 0) expect(tokens).toBeLessThanOrEqual(maxTokens);
    }),
  );
});

describe('in a search, sections', () => {
  let retrieval: RetrievalMesh;
  const part = (ordinal: number, text: string, heading: string) => ({
    ...toChunk('guide', ordinal, text),
    startOffset: ordinal * 100,
    endOffset: ordinal * 100 + text.length,
    headingPath: ['Guide', heading],
  });
  const texts = ['Damsons keep for a week.', 'Wash them first.', 'Then dry them.', 'Sloes are for gin.'];
  beforeAll(async () => {
    retrieval = await startRetrieval();
    const chunks = texts.map((text, index) => part(index, text, index < 3 ? 'Damsons' : 'Sloes'));
    await retrieval.build('guides', 'build-guides', [['guide', '', { chunks }]]);
  });
  afterAll(() => retrieval.close());
  const ask = async (query: string, sectionTokens: number, topK: number) =>
    (await retrieval.ask(query, { corpora: ['guides'], sectionTokens, topK, rerank: false })).passages;

  test('are the chunks under the same headings, as far as they fit', async () => {
    const [whole] = await ask('damsons', 500, 1);
    expect(whole).toMatchObject({ chunkId: 'guide#0', joinedChunkIds: ['guide#1', 'guide#2'], startOffset: 0 });
    expect(whole?.text).toBe(texts.slice(0, 3).join('\n'));
    expect((await ask('damsons', 12, 1))[0]?.joinedChunkIds).toEqual(['guide#1']);
    expect((await ask('damsons', 0, 1))[0]?.joinedChunkIds).toEqual([]);
  });

  test('have no chunk that is in another passage', async () => {
    const passages = await ask('damsons dry sloes', 500, 8);
    const ids = passages.flatMap(({ chunkId, joinedChunkIds }) => [chunkId, ...joinedChunkIds]);
    expect(ids.toSorted()).toEqual(['guide#0', 'guide#1', 'guide#2', 'guide#3']);
  });
});
