import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import type { StoredLimitSchema } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import {
  LimitSyncService,
  type SyncLimitsRequest,
  SyncLimitsResponseSchema,
} from '#gen/ragmesh/accounts/v1/limit_sync_pb.ts';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { GatewayOperationsService, LimitSource } from '#gen/ragmesh/llm_gateway/v1/gateway_operations_pb.ts';
import { LLMGatewayService, MessageRole } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf, unavailable } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { llmGateway } from '../../index.ts';

type Stored = MessageInitShape<typeof StoredLimitSchema>;

const noon = Date.parse('2026-11-20T12:00:00Z');
const poll = { timeout: 30_000, interval: 50 };

/** A gateway whose configuration lets each tenant ask 1,000 times a minute, and an `accounts` whose limits of "acme" are set here. */
async function start() {
  const state = { limits: [] as Stored[], revision: 1n, isAway: false, now: noon };
  const accounts = defineService({
    name: 'accounts',
    contracts: [LimitSyncService],
    config: () => ({}),
    needs: {},
    async create() {
      const syncLimits = async ({ afterRevision }: SyncLimitsRequest) => {
        if (state.isAway) throw unavailable('accounts', 'away');
        const tenants = afterRevision === state.revision ? [] : [{ tenant: 'acme', limits: state.limits }];
        return create(SyncLimitsResponseSchema, { revision: state.revision, tenants });
      };
      return { impl: { syncLimits }, close: async () => {} };
    },
  });
  const audit = defineService({
    name: 'audit',
    contracts: [AuditService],
    config: () => ({}),
    needs: {},
    create: async () => ({ impl: { recordUsage: async () => ({ recorded: true }) }, close: async () => {} }),
  });
  const mesh = await startTestMesh([audit, accounts, llmGateway], {
    clock: () => state.now,
    config: {
      llmGateway: {
        models: [{ adapter: 'extractive', name: 'quotes' }],
        limits: {
          defaultTenant: { requestsPerMinute: 1000 },
          costCentres: { care: { limit: { requestsPerMinute: 500 }, users: ['ann'] } },
        },
      },
    } as never,
  });
  const evidence = [
    { chunkId: 'c', documentId: 'd', corpus: 'help', title: 'Hours', text: 'The shop is open from nine.' },
  ];
  const request = { messages: [{ role: MessageRole.USER, text: 'When is the shop open?' }], evidence, model: 'quotes' };
  const options = await mesh.as();
  return {
    state,
    /** Stores limits, as an administrator does. */
    store(...limits: Stored[]) {
      state.limits = limits;
      state.revision++;
    },
    /** Returns the layer that refuses a request; `undefined`: none. */
    async refusedBy() {
      const call = collect(mesh.client(LLMGatewayService).generate(request, options));
      return call.then(
        () => undefined,
        (error: unknown) => errorInfoOf(error)?.metadata.scope,
      );
    },
    async listed(layer: string) {
      const { limits } = await mesh.client(GatewayOperationsService).listLimits({ users: ['ann'] }, options);
      return limits
        .filter((standing) => standing.layer === layer)
        .map(({ name, kind, limit, source }) => [name, kind, Number(limit), source]);
    },
    [Symbol.asyncDispose]: () => mesh.close(),
  };
}

test('a stored limit takes the place of the configured one within seconds, a raise that of both until it ends', async () => {
  await using one = await start();
  const { state } = one;
  expect(await one.listed('tenant')).toEqual([['acme', 'requests_per_minute', 1000, LimitSource.DEFAULT]]);
  expect(await one.refusedBy()).toBeUndefined();
  const tenant = { layer: 'tenant' };
  const limit = { requestsPerMinute: 1n };
  one.store({ target: tenant, limit });
  const stored = [['acme', 'requests_per_minute', 1, LimitSource.STORED]];
  await expect.poll(() => one.listed('tenant'), poll).toEqual(stored);
  // What was used before counts.
  expect(await one.refusedBy()).toBe('tenant');
  const until = timestampFromMs(noon + 60_000);
  one.store({ target: tenant, limit, raise: { limit: { requestsPerMinute: 50n }, until } });
  const raised = [['acme', 'requests_per_minute', 50, LimitSource.STORED_RAISE]];
  await expect.poll(() => one.listed('tenant'), poll).toEqual(raised);
  expect(await one.refusedBy()).toBeUndefined();
  state.now = noon + 60_000;
  expect(await one.listed('tenant')).toEqual(stored);
  one.store();
  await expect
    .poll(() => one.listed('tenant'), poll)
    .toEqual([['acme', 'requests_per_minute', 1000, LimitSource.DEFAULT]]);
});

test('each layer can be stored, with members of a cost centre; what is known applies while accounts is away', async () => {
  await using one = await start();
  const limit = { requestsPerMinute: 1n };
  await expect.poll(() => one.refusedBy(), poll).toBeUndefined();
  for (const target of [
    { layer: 'user', name: 'ann' },
    { layer: 'model', name: 'quotes' },
    { layer: 'cost_centre', name: 'care' },
  ]) {
    one.store({ target, limit });
    await expect.poll(() => one.refusedBy(), poll).toBe(target.layer);
  }
  // Another member in the place of those of the configuration.
  one.store({ target: { layer: 'cost_centre', name: 'care' }, limit, users: ['bob'] });
  await expect.poll(() => one.refusedBy(), poll).toBeUndefined();
  one.store({ target: { layer: 'cost_centre', name: 'new' }, limit, users: ['ann'] });
  await expect.poll(() => one.refusedBy(), poll).toBe('cost_centre');
  one.state.isAway = true;
  one.store();
  expect(await one.refusedBy()).toBe('cost_centre');
  one.state.isAway = false;
  await expect.poll(() => one.refusedBy(), poll).toBeUndefined();
});
