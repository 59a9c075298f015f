import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFindPersonalData } from '#kit/personal-data/find.ts';
import { measureDocuments, measureLabelled, measureMade } from './measure.ts';
import { readDocuments, readLabelledSets } from './sets.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-personal-'));
  const text = 'Ann: mail a.b@corp.cn, card 4111111111111111, phone 555 1234567';
  const spanOf = (type: string, value: string) => {
    const start = text.indexOf(value);
    return { entity_type: type, start_position: start, end_position: start + value.length };
  };
  const spans = [
    spanOf('PERSON', 'Ann'),
    spanOf('EMAIL_ADDRESS', 'a.b@corp.cn'),
    spanOf('CREDIT_CARD', '4111111111111111'),
  ];
  writeFileSync(join(folder, 'presidio-synth-v2.json'), JSON.stringify([{ full_text: text, spans }]));
  const phones = [
    { Input: '电话：010-62288559', Results: [{ Text: '010-62288559' }] },
    { Input: '编号 666666666', Results: [] },
  ];
  writeFileSync(join(folder, 'phone-chinese.json'), JSON.stringify(phones));
  const documents = [{ title: 'a', text: 'none' }, { text: 'call 13812345678' }];
  writeFileSync(join(folder, 'corpus.jsonl'), documents.map((document) => JSON.stringify(document)).join('\n'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const find = createFindPersonalData({});

test('labelled sets are read as they are published, and each kind is counted', () => {
  const counts = readLabelledSets(folder).map((set) => [set.name, measureLabelled(find, set)] as const);
  expect(counts.map(([name]) => name)).toEqual(['phone chinese', 'presidio']);
  expect(counts[0]?.[1]).toEqual({ PHONE: { found: 1, partly: 0, missed: 0, wrong: 0 } });
  expect(counts[1]?.[1]).toMatchObject({
    EMAIL: { found: 1, missed: 0 },
    BANK_CARD: { found: 1 },
    PERSON: { found: 0, missed: 1 },
    PHONE: { found: 0, wrong: 1 },
  });
});

test('findings in documents are shown with what is around them', () => {
  const { documentCount, withHit, hits } = measureDocuments(find, readDocuments(folder));
  expect({ documentCount, withHit, hits }).toEqual({
    documentCount: 2,
    withHit: 1,
    hits: [{ kind: 'PHONE', text: ' call [13812345678]' }],
  });
});

test('a search that finds nothing has no recall', () => {
  expect(Math.min(...Object.values(measureMade(find, 50)))).toBe(1);
  expect(Math.max(...Object.values(measureMade(() => [], 5)))).toBe(0);
});
