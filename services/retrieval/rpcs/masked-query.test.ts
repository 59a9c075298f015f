import { expect, onTestFinished, test } from 'vitest';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { toVector } from '#kit/base/vectors.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { retrieval } from '../index.ts';
import { createRetrievalClient, createShortcuts, createStandIns, embedText } from '../testing/retrieval.ts';

const phone = '13812345678';

test('a question of a direct search is masked before an embedding model or a reranker sees it', async () => {
  const embedded: string[] = [];
  const embedding = defineService({
    name: 'embedding',
    contracts: [EmbeddingService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async *embed({ inputs, model }) {
          embedded.push(...inputs);
          yield { firstIndex: 0, vectors: inputs.map((text) => toVector(embedText(text))), model };
        },
      },
      close: async () => {},
    }),
  });
  const [, rerank] = createStandIns().services;
  const config = { personalData: { policies: [{ tenant: 'acme' }] } };
  const mesh = await startTestMesh([retrieval, embedding, ...(rerank ? [rerank] : [])], { config });
  onTestFinished(() => mesh.close());
  const client = createRetrievalClient((contract) => mesh.client(contract));
  const shortcuts = createShortcuts(client, await mesh.as());
  await shortcuts.build('help', 'build', [['binding', 'To bind the number [PHONE] again, ask the service.']]);
  const query = `how do I bind the number ${phone}`;
  const { documentIds } = await shortcuts.ask(query, { corpora: ['help'] });
  expect(documentIds).toEqual(['binding']);
  await client.explain({ search: { query }, corpus: 'help', documentId: 'binding' }, await mesh.as());
  expect(embedded.some((text) => text.includes('bind the number [PHONE'))).toBe(true);
  expect(embedded.join('\n')).not.toContain(phone);
  const legs = await collect(client.retrieve({ query, corpora: ['help'] }, await mesh.as()));
  expect(JSON.stringify(legs, (_, value) => (typeof value === 'bigint' ? String(value) : value))).not.toContain(phone);
});
