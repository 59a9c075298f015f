import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiKeyKind, ApiKeyService, type CreateApiKeyRequestSchema } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { TenantService } from '#gen/ragmesh/accounts/v1/tenant_pb.ts';
import { AuditService, ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// Keys that an administrator makes, over the real services, on every face.

let mesh: WholeMesh;
let offsetMs = 0;
beforeAll(async () => {
  mesh = await startWholeMesh({
    clock: () => Date.now() + offsetMs,
    config: { edge: { trustedProxies: ['127.0.0.1'] } },
  });
});
afterAll(() => mesh.close());

const transportOf = (key: string) => {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set('x-api-key', key);
    return next(request);
  };
  return createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2', interceptors: [authorize] });
};
const keys = () => createClient(ApiKeyService, transportOf(mesh.devKey));
const make = async (init: MessageInitShape<typeof CreateApiKeyRequestSchema> = {}) => {
  const request = { kind: ApiKeyKind.SERVICE_ACCOUNT, name: 'shop', roles: [Role.READER], ...init };
  const { key, secret } = await keys().createApiKey(request);
  return { id: key?.id ?? '', secret };
};
/** Returns the status of a request to each face with the key. */
const statusesOf = async (key: string, headers: Record<string, string> = {}) => {
  const faces = [
    ['GET', '/v1/models', undefined],
    ['POST', '/v1/chat/stream', { query: 'hello' }],
    ['POST', '/ragmesh.retrieval.v1.RetrievalService/ListCorpora', {}],
  ] as const;
  const statuses = faces.map(async ([method, path, body]) => {
    const response = await fetch(`${mesh.edgeUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    await response.text();
    return response.status;
  });
  return Promise.all(statuses);
};
const eventually = (key: string, status: number, headers?: Record<string, string>) =>
  vi.waitFor(async () => expect(await statusesOf(key, headers)).toEqual([status, status, status]), {
    timeout: 20_000,
    interval: 100,
  });

test('a new key is admitted on every face, its uses are known, and it is refused when it is revoked', async () => {
  const { id, secret } = await make();
  await eventually(secret, 200);
  await vi.waitFor(
    async () => {
      const { keys: known } = await keys().listApiKeys({});
      const [used] = known.find((key) => key.id === id)?.secrets ?? [];
      expect(Number(used?.useCount)).toBeGreaterThanOrEqual(3);
      expect(used).toMatchObject({ lastAddress: '127.0.0.1', lastUsedAt: expect.anything() });
    },
    { timeout: 30_000, interval: 200 },
  );
  await keys().revokeApiKey({ id });
  await eventually(secret, 401);
});

test('a rotated key is valid with both secrets until the overlap ends', async () => {
  const { id, secret } = await make();
  const { secret: next } = await keys().rotateApiKey({ id, overlapSeconds: 600 });
  await eventually(next, 200);
  expect(await statusesOf(secret)).toEqual([200, 200, 200]);
  offsetMs += 601_000;
  await eventually(secret, 401);
  await eventually(next, 200);
});

test('a key ends at its time', async () => {
  const { secret } = await make({ expiresAt: timestampFromMs(Date.now() + offsetMs + 60_000) });
  await eventually(secret, 200);
  offsetMs += 61_000;
  await eventually(secret, 401);
});

test('a key with addresses is admitted from these alone, whatever a caller claims before the proxy', async () => {
  const { secret } = await make({ addresses: ['10.1.0.0/16'] });
  await eventually(secret, 200, { 'x-forwarded-for': '10.1.2.3' });
  for (const claimed of ['10.1.2.3, 192.0.2.1', '192.0.2.1', '10.1.2.3, x']) {
    expect(await statusesOf(secret, { 'x-forwarded-for': claimed })).toEqual([401, 401, 401]);
  }
  expect(await statusesOf(secret)).toEqual([401, 401, 401]);
});

test('for a key with corpora no other corpus exists, and it asks and searches only', async () => {
  const all = createClient(RetrievalService, transportOf(mesh.devKey));
  const other = (await all.listCorpora({})).corpora[0]?.name ?? '';
  const only = 'second';
  await writeCorpus(only);
  const { secret } = await make({ corpora: [only], roles: [Role.READER], groups: ['staff', 'merchant'] });
  await eventually(secret, 200);
  const own = createClient(RetrievalService, transportOf(secret));
  expect((await own.listCorpora({})).corpora.map(({ name }) => name)).toEqual([only]);
  const question = 'How long do I have to return something?';
  const search = async (client: typeof own, names: string[]) => {
    const passages: { corpus: string; chunkId: string }[] = [];
    for await (const { event } of client.retrieve({ query: question, corpora: names, topK: 50 })) {
      if (event.case === 'fused') passages.push(...event.value.passages);
    }
    return passages;
  };
  expect((await search(own, [])).every(({ corpus }) => corpus === only)).toBe(true);
  await expect(search(own, [other])).rejects.toMatchObject({ rawMessage: expect.stringContaining(other) });
  const foreign = (await search(all, [other])).map(({ chunkId }) => chunkId);
  expect(foreign.length).toBeGreaterThan(0);
  expect((await all.getPassages({ chunkIds: foreign })).passages.length).toBe(foreign.length);
  expect((await own.getPassages({ chunkIds: foreign })).passages).toEqual([]);
  // An answer that another caller has from the cache is not this one's.
  const chat = (key: string) => createClient(ChatService, transportOf(key));
  const { sources } = await askWhole(chat(mesh.devKey), { question });
  expect(sources.length).toBeGreaterThan(0);
  const limited = await askWhole(chat(secret), { question });
  expect(limited.sources.every(({ corpus }) => corpus === only)).toBe(true);
  await expect(chat(secret).listSessions({})).rejects.toMatchObject({
    rawMessage: expect.stringContaining('limited to corpora'),
  });
});

/** Writes a corpus of one document. */
async function writeCorpus(corpus: string): Promise<void> {
  const options = await mesh.as(testPrincipal({ tenant: 'demo' }));
  const text = 'You have 45 days to return something.';
  const embedding = mesh.client(EmbeddingService);
  const [embedded] = await collect(embedding.embed({ inputs: [text], purpose: Purpose.DOCUMENT }, options));
  const vector = embedded?.vectors[0];
  if (vector?.kind.case !== 'dense') throw new Error('no vector came');
  const writer = mesh.client(IndexWriterService);
  const { dimensions } = vector.kind.value;
  const build = { corpus, buildId: 'b1', embeddingModel: embedded?.model ?? '', dimensions };
  const { version } = await writer.beginVersion(build, options);
  const chunk = { chunkId: `${corpus}#0`, ordinal: 0, text, endOffset: text.length, vector };
  const document = { documentId: corpus, title: 'Returns', contentHash: new Uint8Array(32), chunks: [chunk] };
  async function* documents() {
    yield { corpus, version, documents: [document] };
  }
  await writer.writeDocuments(documents(), options);
  await writer.publishVersion({ corpus, version }, options);
}

test('a disabled tenant is refused whatever its credentials are; each change is in the audit', async () => {
  const reason = 'test of a disabled tenant';
  const { id, secret } = await make({
    tenant: 'bolt',
    reason,
    expiresAt: timestampFromMs(Date.now() + offsetMs + 3_600_000),
    roles: [Role.READER, Role.AUDITOR],
  });
  await eventually(secret, 200);
  const tenants = createClient(TenantService, transportOf(mesh.devKey));
  await tenants.putTenant({ tenant: 'bolt', isDisabled: true });
  await eventually(secret, 403);
  await tenants.putTenant({ tenant: 'bolt' });
  await eventually(secret, 200);
  const audit = createClient(AuditService, transportOf(secret));
  await vi.waitFor(
    async () => {
      const actions: (ChangeAction | undefined)[] = [];
      for await (const { entry } of audit.queryAudit({ onlyChanges: true }))
        actions.push(entry?.record?.change?.action);
      expect(actions.toReversed().filter((action) => action !== ChangeAction.BREAK_GLASS_USED)).toEqual([
        ChangeAction.BREAK_GLASS_OPENED,
        ChangeAction.TENANT_PUT,
        ChangeAction.TENANT_PUT,
      ]);
      expect(actions).toContain(ChangeAction.BREAK_GLASS_USED);
    },
    { timeout: 30_000, interval: 200 },
  );
  expect(await audit.verifyChain({})).toMatchObject({ intact: true });
  const { rows } = await audit.getUsageReport({});
  expect(rows.every(({ user }) => user !== 'demo/dev')).toBe(true);
  await keys().revokeApiKey({ id, tenant: 'bolt' });
  await eventually(secret, 401);
});
