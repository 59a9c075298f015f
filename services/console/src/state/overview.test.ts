import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { DocumentSchema } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { chooseTitles } from './overview.ts';

const documentOf = (title: string, language: Language) => create(DocumentSchema, { title, language });

describe('titles to begin with', () => {
  test('are in the language of the page, short, different, and spread over the documents', () => {
    const documents = [
      ...Array.from({ length: 10 }, (_, index) => documentOf(`Page ${index}`, Language.EN)),
      documentOf('Page 0', Language.EN),
      documentOf('A title that goes on '.repeat(5), Language.EN),
      documentOf('退货与退款', Language.ZH),
    ];
    expect(chooseTitles(documents, 'en', 4)).toEqual(['Page 0', 'Page 2', 'Page 5', 'Page 7']);
    expect(chooseTitles(documents, 'zh', 4)).toEqual(['退货与退款']);
  });

  test('are questions first', () => {
    const documents = ['Returns', 'Do you wrap gifts?', 'Shipping'].map((title) => documentOf(title, Language.EN));
    expect(chooseTitles(documents, 'en', 2)).toEqual(['Do you wrap gifts?', 'Returns']);
  });

  test('are in the other language if the page language has none', () => {
    expect(chooseTitles([documentOf('Returns', Language.EN)], 'zh', 4)).toEqual(['Returns']);
    expect(chooseTitles([], 'zh', 4)).toEqual([]);
  });
});
