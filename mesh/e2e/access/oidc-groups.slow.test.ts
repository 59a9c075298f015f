import { generateKeyPairSync } from 'node:crypto';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// Groups of an identity provider, from the claims of its tokens to the access lists of documents: at the edge, and at port 50051.

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
let mesh: WholeMesh;
beforeAll(async () => {
  const jwt = {
    ...{ issuer: 'https://login.example', audience: 'ragmesh' },
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
  };
  mesh = await startWholeMesh({ sample: false, config: { grpc: { admitCredentials: true }, edge: { jwt } } as never });
});
afterAll(() => mesh.close());

const tokenOf = async (groups: string[], roles = ['reader']) => {
  const token = new SignJWT({ tenant: 'acme', groups, roles }).setProtectedHeader({ alg: 'EdDSA' }).setSubject('ann');
  const signed = await token
    .setIssuer('https://login.example')
    .setAudience('ragmesh')
    .setExpirationTime('5m')
    .sign(privateKey);
  return { headers: { authorization: `Bearer ${signed}` } };
};
type Options = Awaited<ReturnType<typeof tokenOf>>;

async function ingest(indexer: Client<typeof IndexerService>, options: Options): Promise<void> {
  const text = 'The voucher code of the spring campaign is PELICAN9. It is valid until the end of May.';
  const { jobId } = await indexer.ingestDocuments(
    (async function* () {
      yield { part: { case: 'start' as const, value: { corpus: 'help' } } };
      // A corpus without a document for the caller does not exist for it.
      yield { part: { case: 'file' as const, value: { path: 'spring.md' } } };
      yield { part: { case: 'data' as const, value: new TextEncoder().encode('The spring campaign ends in May.') } };
      yield { part: { case: 'file' as const, value: { path: 'voucher.md', access: { groups: ['staff'] } } } };
      yield { part: { case: 'data' as const, value: new TextEncoder().encode(text) } };
    })(),
    options,
  );
  let state: JobState | undefined;
  for await (const { job } of indexer.watchJob({ jobId }, options)) state = job?.state ?? state;
  expect(state).toBe(JobState.SUCCEEDED);
}

test('callers with the group see the document, and with the next token, which no longer has it, nothing of it', async () => {
  const ports = [new URL(mesh.edgeUrl).port, String(mesh.host.grpcPort)];
  const transports = ports.map((port) => createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));
  await ingest(createClient(IndexerService, transports[1] as never), await tokenOf(['staff'], ['reader', 'editor']));
  const question = 'What is the voucher code of the spring campaign?';
  for (const transport of transports) {
    const retrieval = createClient(RetrievalService, transport);
    const chat = createClient(ChatService, transport);
    const found = async (options: Options) => {
      let texts = '';
      for await (const { event } of retrieval.retrieve({ query: question, corpora: ['help'] }, options)) {
        if (event.case === 'fused') texts += event.value.passages.map(({ text }) => text).join('\n');
      }
      const answer = await askWhole(chat, { question, corpora: ['help'] }, options);
      return [texts, `${answer.text} ${answer.sources.map(({ text }) => text).join(' ')}`];
    };
    // The answer for the group is in the cache when the others ask.
    for (const text of await found(await tokenOf(['staff']))) expect(text).toContain('PELICAN9');
    for (const groups of [[], ['Staff'], ['sales', 'staf']]) {
      for (const text of await found(await tokenOf(groups))) expect(text).not.toContain('PELICAN9');
    }
    for (const text of await found(await tokenOf(['sales', 'staff']))) expect(text).toContain('PELICAN9');
  }
});
