import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { PersonalDataConfigSchema, PersonalDataMode } from '#gen/ragmesh/config/v1/config_pb.ts';
import { readPersonalData } from '#kit/personal-data/policy.ts';
import { createTextBuilder } from '../parse/blocks.ts';
import type { ParsedDocument } from '../parse/parser.ts';
import { maskText } from './mask-document.ts';
import { prepareDocument } from './prepare-document.ts';
import type { PrepareOptions } from './prepared.ts';

const file = { path: 'a.md', fileIndex: 0, groups: [], attributes: {} };

function parsed(attributes: Record<string, string> = {}): ParsedDocument {
  const builder = createTextBuilder();
  builder.addHeading(1, '联系 13812345678');
  builder.add('paragraph', '张经理的邮箱是 zhang.wei@corp.cn，请在工作时间联系。');
  builder.addHeading(2, 'Returns');
  builder.add('paragraph', 'Returns are free for seven days.');
  const { text, blocks } = builder.finish();
  const meta = {
    documentId: 'a',
    isPlaced: false,
    line: 0,
    url: '',
    language: 'zh',
    groups: undefined,
    updatedAtMs: undefined,
  };
  return { ...meta, title: 'Call 13812345678', attributes, text, blocks };
}

const optionsOf = (mode: PersonalDataMode): PrepareOptions => {
  const config = create(PersonalDataConfigSchema, {
    policies: [{ mode }],
    keys: [{ id: 'k1', key: Buffer.alloc(32, 7).toString('base64') }],
  });
  const personalData = readPersonalData(config).ofCorpus('acme', 'help');
  return { targetTokens: 40, overlapTokens: 0, embeddingModel: 'hashing', dimensions: 8, personalData };
};

describe('a document is written with its personal data masked', () => {
  test('title, text and headings; every chunk keeps its words', () => {
    const [document] = prepareDocument(parsed(), file, optionsOf(PersonalDataMode.MASK));
    expect(document?.title).toBe('Call [PHONE]');
    const chunks = document?.chunks.map(({ start, end, headingPath }) => [
      headingPath,
      document.text.slice(start, end),
    ]);
    expect(chunks).toEqual([
      [['联系 [PHONE]'], expect.stringContaining('张经理的邮箱是 [EMAIL]，请在工作时间联系。')],
      [['联系 [PHONE]', 'Returns'], expect.stringContaining('Returns are free for seven days.')],
    ]);
  });

  test('reversible: the same text and content hash at each run, without the original', () => {
    const options = optionsOf(PersonalDataMode.REVERSIBLE);
    const [first] = prepareDocument(parsed(), file, options);
    const [second] = prepareDocument(parsed(), file, optionsOf(PersonalDataMode.REVERSIBLE));
    expect(first?.contentHash).toBe(second?.contentHash);
    expect(JSON.stringify(first)).not.toMatch(/13812345678|zhang\.wei/);
    const plain = prepareDocument(parsed(), file, { ...options, personalData: undefined });
    expect(plain[0]?.contentHash).not.toBe(first?.contentHash);
    // The letters of a sealed mask are of no language.
    const builder = createTextBuilder();
    builder.add('paragraph', '张经理的手机是13812345678，邮箱是zhang.wei@corp.cn。');
    const [chinese] = prepareDocument({ ...parsed(), language: '', ...builder.finish() }, file, {
      ...options,
      targetTokens: 400,
    });
    expect([chinese?.language, ...(chinese?.chunks ?? []).map(({ language }) => language)]).toEqual(['zh', 'zh']);
  });

  test('one that everyone may read stays as it is', () => {
    const [document] = prepareDocument(parsed({ access: 'public' }), file, optionsOf(PersonalDataMode.MASK));
    expect(document?.text).toContain('zhang.wei@corp.cn');
  });

  test('a sealed mask that was copied into a document is only its kind, so that no other readers open it', () => {
    const options = optionsOf(PersonalDataMode.REVERSIBLE);
    const [sealed] = prepareDocument(parsed(), file, options);
    const [token = ''] = /\[PHONE_k1_[0-9a-f]+\]/.exec(sealed?.text ?? '') ?? [];
    expect(token).not.toBe('');
    for (const access of ['internal', 'public']) {
      const given = parsed({ access });
      const text = `${given.text} Copied: ${token}.`;
      const [copied] = prepareDocument({ ...given, title: token, text }, file, options);
      expect(copied?.title).toBe('[PHONE]');
      expect(JSON.stringify(copied)).not.toContain('Copied: [PHONE_k1_');
    }
    // A person who edits a chunk leaves the masks of the document in it.
    const source = { text: sealed?.text ?? '', attributes: {}, groups: [] };
    expect(maskText(`Edited ${token} 13812345678`, source, options.personalData)).toBe(`Edited ${token} ${token}`);
    expect(maskText(`Edited ${token}`, { ...source, text: '' }, options.personalData)).toBe('Edited [PHONE]');
  });
});
