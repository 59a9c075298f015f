import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { DocumentSchema } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { zh } from '../i18n/zh.ts';
import { attributeFacts } from './attribute-facts.ts';

const factsOf = (attributes: Record<string, string>) =>
  attributeFacts(create(DocumentSchema, { documentId: 'a', url: 'https://a.example/a', attributes }), zh, 'zh-CN');

test('attributes that ragmesh knows are named in the language of the page', () => {
  expect(factsOf({ lang: 'en', owner: 'ann', review_at: '2027-01-01', constructor: 'x', colour: 'red' })).toEqual([
    ['语言', '英语'],
    ['负责人', 'ann'],
    [zh.documents.columns.review, '2027-01-01'],
    ['constructor', 'x'],
    ['colour', 'red'],
  ]);
  expect(factsOf({ lang: 'not a language' })).toEqual([['语言', 'not a language']]);
});

test('what the page shows already is left out, what differs from it is not', () => {
  expect(factsOf({ id: 'a', url: 'https://a.example/a' })).toEqual([]);
  expect(factsOf({ id: 'b', url: 'https://a.example/b' })).toEqual([
    ['id', 'b'],
    ['url', 'https://a.example/b'],
  ]);
});
