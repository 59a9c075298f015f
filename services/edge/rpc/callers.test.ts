import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallOptions, Code, ConnectError } from '@connectrpc/connect';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CredentialService } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { defineService } from '#kit/host/define-service.ts';
import { principalOf } from '#kit/rpc/identity.ts';
import type { TestMesh } from '#kit/testing/mesh.ts';
import { hashKey } from '../credentials/api-keys.ts';
import { type EdgeMesh, type EdgeMeshOptions, startEdgeMesh } from '../testing/stand-ins.ts';

// Callers of the gRPC port with credentials of their own: in the process of the edge, and in one without it.

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const jwt = {
  ...{ issuer: 'https://login.example', audience: 'shop', tenantClaim: 'tenant', groupsClaim: 'groups' },
  ...{ rolesClaim: 'roles', publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string },
};
const tokenOf = (claims: object, issuer = jwt.issuer) =>
  new SignJWT({ tenant: 'acme', groups: ['staff'], ...claims })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setSubject('ann')
    .setIssuer(issuer)
    .setAudience('shop')
    .setExpirationTime('5m')
    .sign(privateKey);
const key = (id: string, more: object = {}) => ({ id, sha256: hashKey(`${id}-key`), tenant: 'acme', ...more });
const bearer = (credential: string): CallOptions => ({ headers: { authorization: `Bearer ${credential}` } });
const secret = 'rmk_managed';

/** A service of keys that has one key, until it is revoked. */
function accounts(isRevoked: () => boolean) {
  return defineService({
    name: 'accounts',
    contracts: [CredentialService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async syncCredentials() {
          const secrets = isRevoked() ? [] : [{ sha256: hashKey(secret) }];
          const managed = { id: 'k1', tenant: 'acme', user: 'service/till', groups: ['tills'], roles: [Role.READER] };
          return { revision: 1n, isReset: false, credentials: [{ key: managed, secrets }] };
        },
        reportKeyUses: async () => ({}),
      } as never,
      close: async () => {},
    }),
  });
}

const failure = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => expect.fail('it was served'),
    (thrown: unknown) => ConnectError.from(thrown),
  );
  return { code: error.code, reason: errorInfoOf(error)?.reason };
};

describe.each([
  ['in the process of the edge', false],
  ['in a process without the edge', true],
] as const)('%s', (_, apart) => {
  let edge: EdgeMesh;
  let mesh: TestMesh;
  let isRevoked = false;
  let generatedCount = 0;
  const start = (limits: object = {}, options: EdgeMeshOptions = {}) =>
    startEdgeMesh({
      apart,
      accounts: accounts(() => isRevoked),
      managed: { syncMs: 50 },
      llm: {
        listModels: () => ({ models: [{ name: 'gpt-5' }, { name: 'extractive' }] }),
        async *generate() {
          generatedCount++;
          yield { event: { case: 'done', value: {} } } as never;
        },
      },
      ...options,
      config: {
        grpc: { admitCredentials: true },
        edge: {
          apiKeys: [
            key('shop', { groups: ['staff'] }),
            key('elsewhere', { addresses: ['10.1.0.0/16'] }),
            key('auditor', { roles: [Role.AUDITOR] }),
            key('held', { roles: [Role.READER, Role.MODEL_USER], models: ['gpt-5'] }),
            key('limited', { corpora: ['help'] }),
          ],
          jwt,
          trustedProxies: ['127.0.0.1'],
          ...limits,
        },
      },
    });
  beforeAll(async () => {
    isRevoked = false;
    edge = await start();
    mesh = edge.behind ?? edge.mesh;
  });
  afterAll(() => edge[Symbol.asyncDispose]());
  const ask = (options: CallOptions, model = '') =>
    collect(mesh.grpcClient(ChatService).ask({ question: 'q', model }, options));

  test('a key of the configuration, a token and a managed key call as their principals, until they are revoked', async () => {
    await ask(bearer('shop-key'));
    expect(edge.seen.callers.at(-1)).toMatchObject({ tenant: 'acme', user: 'shop', groups: ['staff'], keyId: 'shop' });
    await ask({ headers: { 'x-api-key': 'shop-key' } });
    await ask(bearer(await tokenOf({ roles: ['reader'] })));
    expect(edge.seen.callers.at(-1)).toMatchObject({ user: 'ann', groups: ['staff'], keyId: '' });
    await expect.poll(() => ask(bearer(secret)).then(({ length }) => length > 0)).toBe(true);
    expect(edge.seen.callers.at(-1)).toMatchObject({ user: 'service/till', groups: ['tills'], keyId: 'k1' });
    isRevoked = true;
    await expect.poll(() => ask(bearer(secret)).catch(({ code }) => code)).toBe(Code.Unauthenticated);
  });

  test('what is no credential is refused', async () => {
    const asked = edge.seen.questions.length;
    const invalid = { code: Code.Unauthenticated, reason: 'CREDENTIALS_INVALID' };
    expect(await failure(ask({}))).toEqual({ code: Code.Unauthenticated, reason: 'CREDENTIALS_MISSING' });
    expect(await failure(ask(bearer('unknown-key')))).toEqual(invalid);
    expect(await failure(ask(bearer(await tokenOf({}, 'https://evil.example'))))).toEqual(invalid);
    // A forged token of the mesh.
    const forged = new SignJWT({ principal: { tenant: 'acme', user: 'eve', roles: ['ROLE_SERVICE'] } })
      .setProtectedHeader({ alg: 'EdDSA' })
      .setIssuer('ragmesh')
      .setAudience('ragmesh-mesh')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);
    expect(await failure(ask(bearer(await forged)))).toEqual(invalid);
    expect(edge.seen.questions.length).toBe(asked);
  });

  test('addresses, roles, models and corpora of a key hold as at the edge', async () => {
    expect(await failure(ask(bearer('elsewhere-key')))).toMatchObject({ code: Code.Unauthenticated });
    // The address that a trusted proxy names counts.
    const proxied = { authorization: 'Bearer elsewhere-key', 'x-forwarded-for': '10.1.2.3' };
    expect(await ask({ headers: proxied })).not.toEqual([]);
    expect(await failure(ask(bearer('auditor-key')))).toMatchObject({ reason: 'ROLE_MISSING' });
    expect(await failure(ask(bearer('shop-key'), 'gpt-5'))).toMatchObject({ reason: 'ROLE_MISSING' });
    expect(await failure(ask(bearer('held-key'), 'extractive'))).toMatchObject({ reason: 'MODEL_UNKNOWN' });
    expect(await ask(bearer('held-key'), 'gpt-5')).not.toEqual([]);
    const { models } = await mesh.grpcClient(LLMGatewayService).listModels({}, bearer('held-key'));
    expect(models.map(({ name }) => name)).toEqual(['gpt-5']);
    await ask(bearer('limited-key'));
    expect(edge.seen.callers.at(-1)).toMatchObject({ corpora: ['help'] });
    const session = mesh.grpcClient(ChatService).getSession({ sessionId: 's1' }, bearer('limited-key'));
    expect(await failure(session)).toMatchObject({ reason: 'CORPORA_LIMITED' });
  });

  test('internal rpcs are refused to credentials, and open to tokens of the mesh', async () => {
    const generate = (options: CallOptions) =>
      collect(mesh.grpcClient(LLMGatewayService).generate({ messages: [{ role: 1, text: 'hello' }] }, options));
    for (const id of ['shop', 'held']) {
      expect(await failure(generate(bearer(`${id}-key`)))).toMatchObject({ code: Code.Unimplemented });
    }
    const sync = mesh.grpcClient(CredentialService).syncCredentials({ afterRevision: 0n }, bearer('shop-key'));
    expect(await failure(sync)).toMatchObject({ code: Code.Unauthenticated });
    expect(generatedCount).toBe(0);
    await generate(await mesh.as());
    await ask(await mesh.as(principalOf({ tenant: 'acme', user: 'svc', roles: [Role.READER] })));
    expect(edge.seen.callers.at(-1)).toMatchObject({ user: 'svc' });
    expect(generatedCount).toBe(1);
  });

  test('the rate of a user holds, and an unknown key is counted by its address', async () => {
    const slow = { userRequestsPerSecond: 1, userBurst: 2, anonymousRequestsPerSecond: 1, anonymousBurst: 1 };
    await using limited = await start(slow, { clock: () => 1_790_000_000_000 });
    const chat = (limited.behind ?? limited.mesh).grpcClient(ChatService);
    const once = (credential: string) => collect(chat.ask({ question: 'q' }, bearer(credential)));
    for (let call = 0; call < 2; call++) await once('shop-key');
    const over = { code: Code.ResourceExhausted, reason: 'RATE_LIMITED' };
    expect(await failure(once('shop-key'))).toEqual(over);
    await once('held-key');
    expect(await failure(once('wrong'))).toMatchObject({ code: Code.Unauthenticated });
    expect(await failure(once('wrong'))).toEqual(over);
  });
});

test('without the setting, the port takes tokens of the mesh only', async () => {
  await using edge = await startEdgeMesh({ config: { edge: { apiKeys: [key('shop')] } } });
  const asked = collect(edge.mesh.grpcClient(ChatService).ask({ question: 'q' }, bearer('shop-key')));
  expect(await failure(asked)).toMatchObject({ code: Code.Unauthenticated });
});

test('development keys are not admitted at an address that others can reach, nor without the signing key', async () => {
  await expect(startEdgeMesh({ config: { grpc: { admitCredentials: true, host: '0.0.0.0' } } })).rejects.toThrow(
    'grpc.admit_credentials',
  );
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-no-signer-'));
  const identity = { publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string };
  await expect(
    startEdgeMesh({ dataDir, config: { identity, grpc: { admitCredentials: true } } }).finally(() =>
      rmSync(dataDir, { recursive: true, force: true }),
    ),
  ).rejects.toThrow('identity.private_key');
});
