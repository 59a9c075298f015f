import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { GateCheckSchema, GateFindingKind } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { en } from '../i18n/en.ts';
import { zh } from '../i18n/zh.ts';
import { findingLines } from './finding-lines.ts';

const figure = (value: number) => value.toFixed(3);
const finding = 'the sentence of the server';

test('what a gate found is in the language of the page', () => {
  const check = create(GateCheckSchema, {
    finding,
    findings: [
      { kind: GateFindingKind.EMPTY, count: 3n, total: 40n },
      { kind: GateFindingKind.FIGURE_FELL, name: 'nDCG@10', live: 0.8431, checked: 0.769 },
    ],
  });
  expect(findingLines(check, en, figure)).toEqual([
    'Documents without a word: 3 of 40. Check how they were read',
    'nDCG@10 fell from 0.843 to 0.769',
  ]);
  expect(findingLines(check, zh, figure)).toEqual([
    '40 个文档中有 3 个没有文字，请检查解析结果',
    'nDCG@10 从 0.843 下降到 0.769',
  ]);
});

test.each([en, zh])('every kind has its words', (texts) => {
  const kinds = Object.values(GateFindingKind).filter((kind) => typeof kind === 'number');
  for (const kind of kinds) {
    const check = create(GateCheckSchema, { finding, findings: [{ kind, count: 7n, total: 9n, name: 'faq' }] });
    const [line = ''] = findingLines(check, texts, figure);
    expect(line === '').toBe(kind === GateFindingKind.UNSPECIFIED);
    expect(line).not.toMatch(/undefined|NaN/);
    if (texts === zh && line !== '') expect(line).toMatch(/\p{Script=Han}/u);
  }
});

test('a finding without words of its own is the sentence of the server', () => {
  const newer = create(GateCheckSchema, { finding, findings: [{ kind: 4000 as GateFindingKind }] });
  expect(findingLines(newer, zh, figure)).toEqual([finding]);
  expect(findingLines(create(GateCheckSchema, { finding }), zh, figure)).toEqual([finding]);
  expect(findingLines(create(GateCheckSchema, {}), zh, figure)).toEqual([]);
});
