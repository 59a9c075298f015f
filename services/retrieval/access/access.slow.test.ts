import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { type RetrievalMesh, type ShortDocument, startRetrieval } from '../testing/retrieval.ts';

// Compares everything that the service returns to a principal with a model that has no stores.

const tenants = ['acme', 'Acme', 'globex'];
const groupNames = ['staff', 'finance', 'vip'];
const words = ['apple', 'pear', '退货', '运费'];

const anyDocument = fc.record({
  tenant: fc.constantFrom(...tenants),
  corpus: fc.constantFrom('help', 'internal'),
  groups: fc.uniqueArray(fc.constantFrom(...groupNames), { maxLength: 2 }),
  text: fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 4 }).map((chosen) => chosen.join(' ')),
});
const anyQuestion = fc.record({
  tenant: fc.constantFrom(...tenants),
  // "*" is what the kit calls everyone: a group of that name must give nothing.
  groups: fc.uniqueArray(fc.constantFrom(...groupNames, '*', 'unknown'), { maxLength: 3 }),
  query: fc.constantFrom(...words, words.join(' ')),
});

test('nothing crosses a tenant or an access list: no passage, no hit, no count, no name of a corpus', async () => {
  await using retrieval = await startRetrieval();
  let round = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyDocument, { maxLength: 25 }),
      fc.array(anyQuestion, { minLength: 1, maxLength: 6 }),
      async (given, questions) => {
        round++;
        const documents = given.map((document, index) => ({
          ...document,
          corpus: `${document.corpus}-${round}`,
          documentId: `r${round}-d${index}`,
        }));
        await buildAll(retrieval, documents);
        for (const { tenant, groups, query } of questions) {
          const seen = documents.filter(
            (document) =>
              document.tenant === tenant &&
              (document.groups.length === 0 || document.groups.some((group) => groups.includes(group))),
          );
          const options = await retrieval.as({ tenant, groups, roles: [Role.READER] });
          const mine = new Set(seen.map(({ documentId }) => documentId));
          const { corpora } = await retrieval.client.listCorpora({}, options);
          const ofRound = corpora.filter(({ name }) => name.endsWith(`-${round}`));
          expect(
            ofRound.map(({ name, documentCount, chunkCount }) => [name, Number(documentCount), Number(chunkCount)]),
          ).toEqual(
            [...Map.groupBy(seen, ({ corpus }) => corpus)]
              .map(([name, held]) => [name, held.length, held.length])
              .toSorted(),
          );
          const names = ofRound.map(({ name }) => name);
          if (names.length > 0) {
            const { legs, documentIds } = await retrieval.ask(query, { corpora: names, topK: 50 }, options);
            const hits = legs.flatMap((leg) => leg.hits.map(({ documentId }) => documentId));
            for (const documentId of [...documentIds, ...hits]) expect(mine).toContain(documentId);
            // Not only nothing foreign, but all that is one's own and says the word.
            const wanted = seen.filter(({ text }) => query.split(' ').some((word) => text.includes(word)));
            for (const { documentId } of wanted) expect(documentIds).toContain(documentId);
          }
          const chunkIds = [...documents.map(({ documentId }) => `${documentId}#0`), 'none'];
          const { passages } = await retrieval.client.getPassages({ chunkIds }, options);
          expect(new Set(passages.map(({ documentId }) => documentId))).toEqual(mine);
          for (const corpus of names) {
            const pages = await collect(retrieval.client.listIndexedDocuments({ corpus }, options));
            for (const { documentId } of pages.flatMap((page) => page.documents)) expect(mine).toContain(documentId);
          }
        }
      },
    ),
    { numRuns: 15 },
  );
});

async function buildAll(
  retrieval: RetrievalMesh,
  documents: { tenant: string; corpus: string; documentId: string; groups: string[]; text: string }[],
): Promise<void> {
  for (const [tenant, ofTenant] of Map.groupBy(documents, (document) => document.tenant)) {
    const options = await retrieval.as({ tenant });
    for (const [corpus, held] of Map.groupBy(ofTenant, (document) => document.corpus)) {
      const short = held.map(
        ({ documentId, text, groups }): ShortDocument => [documentId, text, { access: { groups } }],
      );
      await retrieval.build(corpus, 'build', short, options);
    }
  }
}

test('access that a new version removes is removed everywhere immediately', async () => {
  await using retrieval = await startRetrieval();
  await retrieval.build('help', 'build-1', [['plan', 'apple plan']]);
  const reader = await retrieval.as({ roles: [Role.READER] });
  expect((await retrieval.ask('apple', {}, reader)).documentIds).toEqual(['plan']);
  await retrieval.build('help', 'build-2', [['plan', 'apple plan', { access: { groups: ['finance'] } }]]);
  expect((await retrieval.ask('apple', {}, reader)).documentIds).toEqual([]);
  expect((await retrieval.client.getPassages({ chunkIds: ['plan#0'] }, reader)).passages).toEqual([]);
  expect((await retrieval.client.listCorpora({}, reader)).corpora).toEqual([]);
  const finance = await retrieval.as({ roles: [Role.READER], groups: ['finance'] });
  expect((await retrieval.ask('apple', {}, finance)).documentIds).toEqual(['plan']);
});
