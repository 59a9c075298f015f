import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { EdgeConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { loadConfig } from '#kit/host/config/config.ts';
import { watchConfig } from '#kit/host/config/watch-config.ts';
import { hashKey } from '../credentials/api-keys.ts';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

// A configuration file that changes while the edge serves.

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Running {
  edge: EdgeMesh;
  lines: Record<string, unknown>[];
  /** `grpc`: more settings of that section. */
  write(edge: string, grpc?: string): void;
}

const keyLine = (id: string, more = '') => `{ id: ${id}, sha256: ${hashKey(`${id}-secret`)}, tenant: acme${more} }`;

async function start(section: string): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-reload-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'ragmesh.yaml');
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const rest = `data_dir: ${dataDir}\nadmin: { port: 0 }\n`;
  const write = (edge: string, grpc = '') =>
    writeFileSync(path, `${rest}grpc: { port: 0, drain_ms: 2000${grpc} }\nedge:\n  port: 0\n${edge}`);
  write(section);
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const load = () => loadConfig(path, {});
  // What the file sets, without the name of its message: the stand-ins add to it.
  const { $typeName: _, ...settings } = load().edge ?? create(EdgeConfigSchema);
  const edge = await startEdgeMesh({ config: { edge: settings }, log, dataDir });
  cleanUps.push(() => edge.mesh.close());
  cleanUps.push(watchConfig({ path, load, apply: edge.mesh.host.reconfigure, log, intervalMs: 10 }));
  return { edge, lines, write };
}

const statusOf = async ({ edge }: Running, key: string, path = '/ragmesh.chat.v1.ChatService/GetSession') => {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}-secret` };
  return (await fetch(`${edge.url}${path}`, { method: 'POST', headers, body: '{"sessionId":"s1"}' })).status;
};
const logged = (running: Running, event: string) =>
  vi.waitFor(() => {
    const line = running.lines.findLast((candidate) => candidate.event === event);
    expect(line).toBeDefined();
    return line;
  }, 20_000);

test('a revoked key is refused and a new one is taken as soon as the file is reloaded, on every face', async () => {
  const running = await start(`  api_keys:\n    - ${keyLine('old')}\n    - ${keyLine('stays')}\n`);
  expect([await statusOf(running, 'old'), await statusOf(running, 'new')]).toEqual([200, 401]);
  running.write(`  api_keys:\n    - ${keyLine('new')}\n    - ${keyLine('stays')}\n`);
  const line = await logged(running, 'edge_reloaded');
  expect(line).toMatchObject({ keysAdded: ['new'], keysRevoked: ['old'], keysChanged: [] });
  expect([await statusOf(running, 'old'), await statusOf(running, 'new'), await statusOf(running, 'stays')]).toEqual([
    401, 200, 200,
  ]);
  for (const path of ['/v1/chat/stream', '/v1/chat/completions', '/v1/embeddings', '/v1/rerank']) {
    expect([path, await statusOf(running, 'old', path)]).toEqual([path, 401]);
  }
  expect(JSON.stringify(running.lines)).not.toMatch(/-secret|[0-9a-f]{64}/);
});

test('roles and groups of a key change with a reload', async () => {
  const running = await start(`  api_keys:\n    - ${keyLine('k', ', groups: [staff]')}\n`);
  const groups = async () => {
    expect(await statusOf(running, 'k')).toBe(200);
    return running.edge.seen.callers.at(-1)?.groups;
  };
  expect(await groups()).toEqual(['staff']);
  running.write(`  api_keys:\n    - ${keyLine('k', ', groups: [guest]')}\n`);
  expect(await logged(running, 'edge_reloaded')).toMatchObject({ keysChanged: ['k'] });
  expect(await groups()).toEqual(['guest']);
  running.lines.length = 0;
  running.write(`  api_keys:\n    - ${keyLine('k', ', roles: [ROLE_AUDITOR]')}\n`);
  await logged(running, 'edge_reloaded');
  expect(await statusOf(running, 'k')).toBe(403);
});

test('limits change with a reload', async () => {
  const keys = `  api_keys:\n    - ${keyLine('k')}\n`;
  const running = await start(keys);
  expect([await statusOf(running, 'k'), await statusOf(running, 'k')]).toEqual([200, 200]);
  running.write(`${keys}  user_requests_per_second: 1\n  user_burst: 1\n`);
  await logged(running, 'edge_reloaded');
  const statuses = [await statusOf(running, 'k'), await statusOf(running, 'k'), await statusOf(running, 'k')];
  expect(statuses).toContain(429);
});

test('development keys end as soon as credentials are configured', async () => {
  const running = await start('');
  const key = running.edge.edge.devKeys?.dev ?? '';
  const models = () => fetch(`${running.edge.url}/v1/models`, { headers: { 'x-api-key': key } });
  const session = () => fetch(`${running.edge.url}/console/session`);
  expect([(await models()).status, (await session()).status]).toEqual([200, 200]);
  running.write(`  api_keys:\n    - ${keyLine('k')}\n`);
  expect(await logged(running, 'edge_reloaded')).toMatchObject({ keysAdded: ['k'], keysRevoked: ['dev', 'customer'] });
  expect([(await models()).status, (await session()).status]).toEqual([401, 404]);
});

test('a section that needs a restart is named in a warning', async () => {
  const running = await start(`  api_keys:\n    - ${keyLine('k')}\n`);
  running.write(
    `  api_keys:\n    - ${keyLine('k')}\n  limiter: { adapter: redis }\nchat: { session_days: 3 }\n`,
    ', max_concurrent: 7',
  );
  await logged(running, 'config_reloaded');
  const warnings = running.lines.filter(({ event }) => event === 'config_needs_restart');
  expect(warnings.map(({ level, settings, sections }) => ({ level, settings, sections }))).toEqual([
    { level: 40, settings: ['edge.limiter'], sections: undefined },
    { level: 40, settings: undefined, sections: ['grpc', 'chat'] },
  ]);
});
