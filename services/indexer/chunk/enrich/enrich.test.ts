import { Code } from '@connectrpc/connect';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import type { Enrichment } from '../../config.ts';
import type { DocumentSource } from '../../documents/document-store.ts';
import { hashDocument } from '../../prepare/content-hash.ts';
import type { PreparedDocument } from '../../prepare/prepared.ts';
import { createEnricher, type EnrichDeps } from './enrich.ts';
import { nameOf, readReply } from './prompt.ts';

const settings: Enrichment = {
  ...{ model: 'small', corpora: new Set<string>(), summaries: true, questions: 2, maxCalls: 100, timeoutMs: 60_000 },
};
const options = {
  targetTokens: 320,
  overlapTokens: 40,
  embeddingModel: 'm',
  dimensions: 4,
  enrichment: nameOf(settings),
};
const scope = { tenant: 'acme', corpus: 'help' };
const never = new AbortController().signal;

function documentOf(documentId: string, ...parts: string[]): PreparedDocument {
  let at = 0;
  const chunks = parts.map((part) => {
    const start = at;
    at += part.length + 1;
    return { start, end: start + part.length, headingPath: [], language: 'en' as const };
  });
  const document = {
    ...{ documentId, title: documentId, url: '', language: 'en' as const, groups: [], attributes: {}, placedIn: '' },
    ...{ updatedAtMs: undefined, text: parts.join('\n'), chunks, origin: { fileIndex: 0, path: documentId, line: 0 } },
  };
  return { ...document, contentHash: hashDocument(document, options) };
}

/** What the model was asked, and what it says; it fails if it returns `undefined`. */
let asked: string[] = [];
let says: (text: string) => string | undefined;
let stored: Map<string, DocumentSource>;
beforeEach(() => {
  asked = [];
  says = (text) =>
    text
      .split('\n')
      .slice(1)
      .map((_, index) => `${index + 1}: About part ${index + 1}.\n${index + 1}? Why?`)
      .join('\n');
  stored = new Map();
});

const llm = {
  async *generate({ messages = [] }: { messages?: { text?: string }[] }) {
    const text = messages.at(-1)?.text ?? '';
    asked.push(text);
    const reply = says(text);
    if (reply === undefined) throw rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, 'away');
    yield { event: { case: 'textDelta', value: { text: reply } } };
    yield { event: { case: 'done', value: { outcome: Outcome.COMPLETE } } };
  },
} as unknown as ReturnType<EnrichDeps['llm']>;

function enricher(changes: Partial<Enrichment> = {}) {
  const documents: EnrichDeps['documents'] = {
    sources: async (_, contents) =>
      new Map(
        contents.flatMap(({ documentId, contentHash }) => {
          const source = stored.get(contentHash);
          return source === undefined ? [] : [[documentId, source] as const];
        }),
      ),
  };
  return createEnricher(
    { ...settings, ...changes },
    scope,
    options,
    { llm: () => llm, documents },
    async () => ({}),
    never,
  );
}
const contextsOf = ({ chunks }: PreparedDocument) => chunks.map(({ context }) => context?.text);

test('every chunk has what the model writes about it', async () => {
  const { documents, notes } = await enricher().enrich(
    [documentOf('a', 'One.', 'Two.'), documentOf('b', 'Three.')],
    new Map(),
  );
  expect(documents.map(contextsOf)).toEqual([['About part 1.\nWhy?', 'About part 2.\nWhy?'], ['About part 1.\nWhy?']]);
  expect(notes).toEqual([]);
  expect(asked).toHaveLength(2);
});

test('what was written about the same text is used again', async () => {
  const before = (await enricher().enrich([documentOf('a', 'One.', 'Two.')], new Map()))
    .documents[0] as PreparedDocument;
  stored.set(before.contentHash, before as unknown as DocumentSource);
  asked = [];
  says = () => '1: Another.';
  const [after] = (await enricher().enrich([documentOf('a', 'One.', 'Three.')], new Map([['a', [before.contentHash]]])))
    .documents;
  expect(after && contextsOf(after)).toEqual(['About part 1.\nWhy?', 'Another.']);
  expect(asked).toHaveLength(1);
  expect(asked[0]).not.toContain('"part":"One."');
});

test('a failure of the model leaves the document as it is, is noted, and is tried again', async () => {
  says = () => undefined;
  const given = documentOf('a', 'One.', 'Two.');
  const { documents, notes } = await enricher().enrich([given], new Map());
  expect(documents[0]).toMatchObject({ documentId: 'a', text: given.text });
  expect(contextsOf(documents[0] as PreparedDocument)).toEqual([undefined, undefined]);
  expect(notes).toMatchObject([{ path: 'a', kind: NoteKind.NOT_ENRICHED, count: 2 }]);
  // The next upload has another hash than what was written, and the same one if the model fails again.
  const { enrichment: _, ...plain } = options;
  expect(documents[0]?.contentHash).toBe(hashDocument(given, plain));
  expect(documents[0]?.contentHash).not.toBe(given.contentHash);
});

test('a model that keeps failing is not asked for ever, and no job asks more than it may', async () => {
  const documents = Array.from({ length: 40 }, (_, index) => documentOf(`d${index}`, 'One.'));
  says = () => undefined;
  expect((await enricher().enrich(documents, new Map())).notes).toHaveLength(40);
  expect(asked.length).toBeLessThan(10);
  asked = [];
  says = () => '1: About it.';
  expect((await enricher({ maxCalls: 3 }).enrich(documents, new Map())).notes).toHaveLength(37);
  expect(asked).toHaveLength(3);
});

describe('a reply', () => {
  test('is read line by line', () => {
    const reply = '1: About one.\n1? Why one?\n1? Who?\n1? Too many?\n2： 关于二。\n3: none\nchat';
    expect([...readReply(reply, 2, settings)]).toEqual([
      [0, 'About one.\nWhy one?\nWho?'],
      [1, '关于二。'],
    ]);
    expect(readReply('1: x\n1? y', 1, { ...settings, summaries: false }).get(0)).toBe('y');
  });

  test('of any form has bounded texts about known parts only', () => {
    const line = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.tuple(fc.nat(12), fc.constantFrom(':', '?'), fc.string({ maxLength: 900 })).map((parts) => parts.join(' ')),
    );
    fc.assert(
      fc.property(fc.array(line), fc.nat(10), (lines, count) => {
        for (const [index, text] of readReply(lines.join('\n'), count, settings)) {
          expect(index).toBeLessThan(count);
          expect(text.length).toBeLessThanOrEqual(3 * 301);
          expect(text.isWellFormed()).toBe(true);
        }
      }),
    );
  });
});
