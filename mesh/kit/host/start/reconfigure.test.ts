import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { pino } from 'pino';
import { afterAll, expect, test, vi } from 'vitest';
import { type Config, ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { ConfigError } from '../../base/config-error.ts';
import { errorInfoOf } from '../../base/errors.ts';
import { createTokenSigner } from '../../rpc/identity.ts';
import { newKey } from '../../rpc/identity-keys.ts';
import { startTestMesh, testPrincipal } from '../../testing/mesh.ts';
import { loadConfig } from '../config/config.ts';
import { watchConfig } from '../config/watch-config.ts';
import { defineService, type ServiceDefinition } from '../define-service.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-watch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A service that shows the settings that it has, and may refuse new ones. */
function createTaker(name: string, refuses: (days: number) => boolean = () => false) {
  const taken: number[] = [];
  const service = defineService({
    name,
    contracts: name === 'echo' ? [EchoService] : [],
    config: (config: Config) => {
      const days = config.chat?.sessionDays ?? 0;
      if (days > 1000) throw new ConfigError('chat.session_days', 'is too many');
      return { days };
    },
    needs: {},
    create: async ({ config }) => {
      taken.push(config.days);
      return {
        impl: {},
        async reconfigure({ days }: { days: number }) {
          if (refuses(days)) throw new ConfigError(name, 'refused');
          taken.push(days);
        },
        close: async () => {},
      };
    },
  });
  return { service, taken };
}
const withDays = (sessionDays: number) => create(ConfigSchema, { chat: { sessionDays } });

test('a new configuration is taken by every service, or by none', async () => {
  const first = createTaker('edge');
  const second = createTaker('console', (days) => days === 13);
  await using mesh = await startTestMesh([first.service, second.service], { config: { chat: { sessionDays: 1 } } });
  await mesh.host.reconfigure(withDays(2));
  await expect(mesh.host.reconfigure(withDays(13))).rejects.toThrow('refused');
  await expect(mesh.host.reconfigure(withDays(2000))).rejects.toThrow('too many');
  // The first had taken 13 already, and went back.
  expect(first.taken).toEqual([1, 2, 13, 2]);
  expect(second.taken).toEqual([1, 2]);
});

test('a watched file is applied when it has changed; a bad one or none at all changes nothing, and the log says so', async () => {
  const path = join(folder, 'ragmesh.yaml');
  writeFileSync(path, 'chat: { session_days: 1 }');
  const lines: string[] = [];
  const applied: number[] = [];
  const stop = watchConfig({
    path,
    load: () => loadConfig(path, {}),
    apply: async ({ chat }) => {
      if (chat?.sessionDays === 13) throw new ConfigError('chat', 'refused');
      applied.push(chat?.sessionDays ?? 0);
    },
    log: pino({}, { write: (line: string) => void lines.push(line) }),
    intervalMs: 10,
  });
  const said = (text: string) => vi.waitFor(() => expect(lines.some((line) => line.includes(text))).toBe(true));
  try {
    writeFileSync(path, 'chat: { session_days: 2 }');
    await vi.waitFor(() => expect(applied).toEqual([2]));
    writeFileSync(path, 'chat: { session_dayz: 3 }');
    await said('session_dayz');
    writeFileSync(path, 'chat: { session_days: 13 }');
    await said('refused');
    rmSync(path);
    await said('is gone');
    writeFileSync(path, 'chat: { session_days: 4 }');
    await vi.waitFor(() => expect(applied).toEqual([2, 4]));
  } finally {
    stop();
  }
});

test('keys of the mesh are rotated while the process runs: accepted first, then in use, then the old one is removed', async () => {
  const echo = defineService({
    name: 'echo',
    contracts: [EchoService],
    config: () => ({}),
    needs: {},
    create: async () => ({ impl: { unary: async ({ text }: { text: string }) => ({ text }) }, close: async () => {} }),
  });
  const [old, next] = [newKey(), newKey()];
  const publicPart = (pem: string) => createPublicKey(pem).export({ type: 'spki', format: 'pem' }) as string;
  const identity = (privateKey: string, ...accepted: string[]) => ({
    identity: { privateKey, acceptedPublicKeys: accepted.map(publicPart) },
  });
  const config = (...keys: [string, ...string[]]) => create(ConfigSchema, identity(...keys));
  await using mesh = await startTestMesh([echo as ServiceDefinition], { config: identity(old) });
  const { host } = mesh;
  const callWith = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return mesh
      .grpcClient(EchoService)
      .unary({ text: 'x' }, { headers })
      .then(
        () => 'ok',
        (error) => errorInfoOf(error)?.reason,
      );
  };
  const sign = (pem: string) => createTokenSigner(createPrivateKey(pem), Date.now).sign(testPrincipal());
  const [ofOld, ofNext] = [await sign(old), await sign(next)];
  const both = async () => [await callWith(ofOld), await callWith(ofNext)];
  expect(await both()).toEqual(['ok', 'CREDENTIALS_INVALID']);
  await host.reconfigure(config(old, next));
  expect(await both()).toEqual(['ok', 'ok']);
  await host.reconfigure(config(next, old));
  expect(await both()).toEqual(['ok', 'ok']);
  expect(await callWith((await host.signer?.sign(testPrincipal())) as string)).toBe('ok');
  await host.reconfigure(config(next));
  expect(await both()).toEqual(['CREDENTIALS_INVALID', 'ok']);
});
