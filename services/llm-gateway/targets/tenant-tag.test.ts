import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startTestGateway } from '../testing/gateway.ts';
import { content, finish, startFakeProvider, streamed } from '../testing/provider-server.ts';
import { createTenantTags, readTagSecret } from './tenant-tag.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-tags-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a tenant keeps its tag over restarts, and the tag reveals nothing without the secret', () => {
  const tagsOf = (dataDir: string) => createTenantTags(readTagSecret(dataDir));
  const tagOf = tagsOf(folder);
  expect(tagsOf(folder)('acme')).toBe(tagOf('acme'));
  expect(tagOf('acme')).toMatch(/^[0-9a-f]{32}$/);
  expect(tagOf('acme')).not.toBe(tagOf('other'));
  const elsewhere = mkdtempSync(join(folder, 'other-'));
  expect(tagsOf(elsewhere)('acme')).not.toBe(tagOf('acme'));
  expect(statSync(join(folder, 'tenant-tag.key')).mode & 0o777).toBe(0o600);
});

test('a provider with a prefix cache is sent the tag, and never the tenant', async () => {
  await using server = await startFakeProvider(streamed([content('a'), finish('stop')]));
  const settings = { base_url: server.url, model: 'm' };
  await using gateway = await startTestGateway({ models: [{ name: 'local', adapter: 'vllm', settings }] });
  await gateway.ask();
  expect(server.requests).toMatchObject([{ cache_salt: expect.stringMatching(/^[0-9a-f]{32}$/) }]);
  expect(JSON.stringify(server.requests)).not.toContain('acme');
});
