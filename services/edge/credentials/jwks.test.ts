import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { afterEach, expect, test } from 'vitest';
import { createRemoteKeys } from './jwks.ts';

const minute = 60_000;
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A provider whose keys the test chooses; `undefined`: it answers 503. */
async function startProvider() {
  const pair = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    return {
      jwk: { ...(await exportJWK(publicKey)), kid },
      sign: () => new SignJWT({}).setProtectedHeader({ alg: 'EdDSA', kid }).sign(privateKey),
    };
  };
  const [first, second] = [await pair('k1'), await pair('k2')];
  const provider = { keys: [first.jwk] as object[] | undefined, fetchCount: 0, first, second };
  const server = createServer((_, response) => {
    provider.fetchCount++;
    response.writeHead(provider.keys === undefined ? 503 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ keys: provider.keys ?? [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close());
  let now = 0;
  const keys = createRemoteKeys(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`), () => now);
  const verify = async ({ sign }: { sign(): Promise<string> }) =>
    jwtVerify(await sign(), keys).then(
      () => true,
      () => false,
    );
  const pass = (ms: number) => {
    now += ms;
  };
  return { provider, verify, pass };
}

test('keys are fetched with the first token and every ten minutes, while the tokens are checked with the last ones', async () => {
  const { provider, verify, pass } = await startProvider();
  expect([await verify(provider.first), await verify(provider.first)]).toEqual([true, true]);
  expect(provider.fetchCount).toBe(1);
  provider.keys = [provider.second.jwk];
  pass(11 * minute);
  expect(await verify(provider.first)).toBe(true);
  await expect.poll(() => verify(provider.first), { interval: 5 }).toBe(false);
  expect(await verify(provider.second)).toBe(true);
  expect(provider.fetchCount).toBe(2);
});

test('while the provider is away, the last keys are used for a day, and it is asked only now and then', async () => {
  const { provider, verify, pass } = await startProvider();
  expect(await verify(provider.first)).toBe(true);
  provider.keys = undefined;
  for (let hour = 0; hour < 23; hour++) {
    pass(60 * minute);
    for (let count = 0; count < 5; count++) expect(await verify(provider.first)).toBe(true);
  }
  expect(provider.fetchCount).toBeLessThanOrEqual(24);
  pass(61 * minute);
  expect(await verify(provider.first)).toBe(false);
  provider.keys = [provider.first.jwk];
  expect(await verify(provider.first)).toBe(true);
});

test('without any keys a token is refused, and the next one tries again', async () => {
  const { provider, verify } = await startProvider();
  provider.keys = undefined;
  expect(await verify(provider.first)).toBe(false);
  provider.keys = [provider.first.jwk];
  expect(await verify(provider.first)).toBe(true);
});
