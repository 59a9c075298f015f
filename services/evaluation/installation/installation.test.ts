import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import {
  BacklogKind,
  CircuitHealthState,
  InstallationService,
  SettingSource,
} from '#gen/ragmesh/evaluation/v1/installation_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { readConfigValue } from '#kit/host/config/config.ts';
import { startHost } from '#kit/host/host.ts';
import { createClient } from '#kit/rpc/client.ts';
import { actAs } from '#kit/rpc/context.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { readSamples } from '../doctor/samples.ts';
import { evaluation } from '../index.ts';
import { createSearch } from '../testing/stand-ins.ts';
import { healthOf } from './health.ts';

test('a setting has its source, and no secret is shown, before and after a reload', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-installation-'));
  const secret = 'hunter2-of-the-model';
  const variable = ['$', '{KEY}'].join('');
  const read = (rerankCandidates: number, maxTokens: number) =>
    readConfigValue(
      {
        data_dir: dataDir,
        grpc: { port: 0 },
        admin: { port: 0 },
        edge: { limiter: { adapter: 'redis', settings: { url: 'redis://u:hunter2@h:1' } } },
        retrieval: { rerank_candidates: rerankCandidates },
        telemetry: { sample_ratio: maxTokens / 10 },
        llm_gateway: { models: [{ adapter: 'openai', settings: { api_key: variable, model: 'm' } }] },
      },
      { KEY: secret },
      'ragmesh.yaml',
    ).config;
  const services = [createSearch().retrieval, evaluation];
  const config = read(7, 1);
  const host = await startHost({ services, known: services, config, env: {}, log: createLogger('silent') });
  try {
    const client = createClient(InstallationService, host.local);
    const token = (await host.signer?.sign(testPrincipal())) ?? '';
    const reply = await client.getConfiguration({}, actAs(token));
    const { file, settings } = reply;
    const of = (path: string) => settings.find((each) => each.path === path);
    expect(file).toBe('ragmesh.yaml');
    expect(of('retrieval.rerank_candidates')).toMatchObject({ value: '7', source: SettingSource.FILE });
    expect(of('retrieval.vector_store.adapter')).toMatchObject({ value: 'sqlite', source: SettingSource.DEFAULT });
    expect(of('llm_gateway.models[0].settings.api_key')).toMatchObject({
      value: '***',
      source: SettingSource.ENVIRONMENT,
    });
    expect(of('llm_gateway.models[0].settings.model')).toMatchObject({ value: 'm', source: SettingSource.FILE });
    expect(JSON.stringify(settings)).not.toContain('hunter2');

    await host.reconfigure(read(9, 5));
    const after = await client.getConfiguration({}, actAs(token));
    const value = (path: string) => after.settings.find((each) => each.path === path)?.value;
    expect(after.sectionsToRestart).toEqual(['telemetry', 'retrieval']);
    expect([value('telemetry.sample_ratio'), value('retrieval.rerank_candidates')]).toEqual(['0.1', '7']);
    expect(JSON.stringify(after)).not.toContain('hunter2');
  } finally {
    await host.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test('only administrators of the installation see its configuration and its health', async () => {
  await using mesh = await startTestMesh([createSearch().retrieval, evaluation]);
  const client = mesh.client(InstallationService);
  for (const role of [Role.READER, Role.EDITOR, Role.AUDITOR, Role.OPERATOR, Role.SERVICE, Role.ADMINISTRATOR]) {
    const as = await mesh.as(testPrincipal({ roles: [role] }));
    await expect(client.getConfiguration({}, as)).rejects.toMatchObject({ code: Code.PermissionDenied });
    await expect(client.getHealth({}, as)).rejects.toMatchObject({ code: Code.PermissionDenied });
  }
  const as = await mesh.as(testPrincipal({ roles: [Role.PLATFORM_ADMINISTRATOR] }));
  const { processes } = await client.getHealth({}, as);
  expect(processes).toEqual([
    expect.objectContaining({
      processCount: 1,
      services: expect.arrayContaining([expect.objectContaining({ service: 'evaluation', isReady: true })]),
    }),
  ]);
  expect(processes[0]?.diskBytes).toBeGreaterThan(0n);
  expect(processes[0]?.diskFreeBytes).toBeLessThanOrEqual(processes[0]?.diskBytes ?? 0n);
});

const replica = (name: string, lines: string) => ({ address: name, samples: readSamples(lines) });

test('replicas are named one by one, and what they share is counted once', () => {
  const health = healthOf({
    pages: [
      replica(
        'a:9464',
        `ragmesh_build_info{version="1.0.0",node="24"} 1
ragmesh_service_ready{service="chat"} 1
ragmesh_service_degraded{service="chat"} 1
ai_index_job_backlog{topic="documents"} 12
ragmesh_index_queue_age_ms 4000
ragmesh_llm_requests{state="waiting"} 2
ragmesh_degradation_total{stage="rerank"} 3
ragmesh_breaker_state{dependency="qdrant"} 0
ragmesh_index_missing_chunks{store="vector"} 0
process_start_time_seconds 1700000000
process_resident_memory_bytes 1000`,
      ),
      replica(
        'b:9464',
        `ragmesh_build_info{version="1.1.0",node="24"} 1
ragmesh_service_ready{service="chat"} 0
ai_index_job_backlog{topic="documents"} 12
ragmesh_llm_requests{state="waiting"} 1
ragmesh_degradation_total{stage="rerank"} 4
ragmesh_degradation_total{stage="vector"} 9
ragmesh_breaker_state{dependency="qdrant"} 2
ragmesh_index_missing_chunks{store="keyword"} 5`,
      ),
    ],
    unreachable: ['http://c:9464/metrics'],
  });
  expect(health.processes).toMatchObject([
    {
      instance: 'a:9464',
      processCount: 1,
      versions: ['1.0.0'],
      services: [{ service: 'chat', isReady: true, degradedCount: 1 }],
      startedAt: { seconds: 1_700_000_000n },
      memoryBytes: 1000n,
    },
    { instance: 'b:9464', versions: ['1.1.0'], services: [{ service: 'chat', isReady: false }] },
  ]);
  expect(health.processes[1]?.startedAt).toBeUndefined();
  expect(health.circuits).toMatchObject([
    { instance: 'b:9464', dependency: 'qdrant', state: CircuitHealthState.OPEN },
    { instance: 'a:9464', dependency: 'qdrant', state: CircuitHealthState.CLOSED },
  ]);
  expect(health.backlogs).toMatchObject([
    { kind: BacklogKind.INDEX_JOBS, topic: 'documents', count: 12n, oldestMs: 4000n },
    { kind: BacklogKind.HELD_VERSIONS, count: 0n },
    { kind: BacklogKind.LEDGER_ENTRIES, count: 0n },
    { kind: BacklogKind.MODEL_REQUESTS, count: 3n },
  ]);
  expect(health.skippedStages.map(({ stage, count }) => [stage, count])).toEqual([
    ['vector', 9n],
    ['rerank', 7n],
  ]);
  expect(health.storeLosses).toMatchObject([{ store: 'keyword', chunkCount: 5n }]);
  expect(health.unreachableSources).toEqual(['http://c:9464/metrics']);
});

test('the federation page of a Prometheus names each target', () => {
  const line = (instance: string, value: number) =>
    `ragmesh_build_info{version="1",node="24",instance="${instance}"} ${value}`;
  const { processes } = healthOf({
    pages: [replica('prometheus:9090', `${line('10.0.0.1:9464', 1)}\n${line('10.0.0.2:9464', 3)}\nup{instance="x"} 1`)],
    unreachable: [],
  });
  expect(processes.map(({ instance, processCount }) => [instance, processCount])).toEqual([
    ['10.0.0.1:9464', 1],
    ['10.0.0.2:9464', 3],
  ]);
});
