import { expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { CircuitState, GatewayOperationsService } from '#gen/ragmesh/llm_gateway/v1/gateway_operations_pb.ts';
import { LLMGatewayService, MessageRole } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { llmGateway } from '../index.ts';
import { modelAt } from '../testing/gateway.ts';

const audit = defineService({
  name: 'audit',
  contracts: [AuditService],
  config: () => ({}),
  needs: {},
  create: async () => ({ impl: { recordUsage: async () => ({ recorded: true }) }, close: async () => {} }),
});

const noon = Date.parse('2026-11-20T12:00:00Z');
const request = {
  messages: [{ role: MessageRole.USER, text: 'When is the shop open?' }],
  evidence: [
    { chunkId: 'c', documentId: 'd', corpus: 'help', title: 'Hours', text: 'The shop is open from nine to five.' },
  ],
};
const start = () =>
  startTestMesh([audit, llmGateway], {
    clock: () => noon,
    config: {
      llmGateway: {
        models: [{ adapter: 'extractive', name: 'quotes' }, modelAt('http://127.0.0.1:9/v1', 'writer')],
        routes: [{ name: 'default', models: ['quotes'] }],
        prices: { version: '7', currency: 'USD', prices: [{ model: 'writer', prompt: 1, completion: 2 }] },
        limits: {
          defaultTenant: { requestsPerMinute: 5, costMicrosPerMonth: 1_000_000 },
          defaultUser: { maxConcurrent: 3 },
          keys: { 'key-of-another': { requestsPerMinute: 2 } },
          users: { ann: { requestsPerMinute: 3 } },
        },
      },
    } as never,
  });

test('targets are listed with their health, their counts and their prices', async () => {
  await using mesh = await start();
  await collect(mesh.client(LLMGatewayService).generate(request, await mesh.as()));
  const list = async () => mesh.client(GatewayOperationsService).listTargets({}, await mesh.as());
  const reply = await list();
  expect(reply).toMatchObject({
    priceVersion: '7',
    currency: 'USD',
    routes: [{ name: 'default', targets: ['quotes'] }],
  });
  expect(reply.targets).toMatchObject([
    { name: 'quotes', provider: 'extractive', circuit: CircuitState.CLOSED },
    { name: 'writer', price: { prompt: 1, completion: 2 } },
  ]);
  await expect.poll(async () => (await list()).targets[0]?.results).toMatchObject([{ count: 1n }]);
});

test('limits say what is used and when they reset, of the layers of the caller and of no other tenant', async () => {
  await using mesh = await start();
  const client = mesh.client(GatewayOperationsService);
  await collect(mesh.client(LLMGatewayService).generate(request, await mesh.as()));
  const { limits } = await client.listLimits({}, await mesh.as());
  const found = limits.map(({ layer, name, kind, limit, used }) => [layer, name, kind, limit, used > 0n].join(' '));
  expect(found).toEqual([
    'tenant acme requests_per_minute 5 true',
    // Quotations of documents are not charged.
    'tenant acme cost_micros_per_month 1000000 false',
    'user ann requests_per_minute 3 true',
  ]);
  expect(limits[0]?.used).toBe(1n);
  expect(Number(limits[1]?.resetsAt?.seconds)).toBe(Date.parse('2026-12-01T00:00:00Z') / 1000);
  const other = await mesh.as(testPrincipal({ tenant: 'bolt', user: 'bob' }));
  const ofOther = await client.listLimits({}, other);
  expect(ofOther.limits.map(({ layer, name, used }) => `${layer} ${name} ${used}`)).toEqual([
    'tenant bolt 0',
    'tenant bolt 0',
  ]);
  const asked = await client.listLimits({ users: ['bob'] }, other);
  expect(asked.limits.map(({ name, kind }) => `${name} ${kind}`)).toContain('bob max_concurrent');
  const reader = await mesh.as(testPrincipal({ roles: [Role.READER] }));
  await expect(client.listLimits({}, reader)).rejects.toThrow('auditor');
  await expect(client.listTargets({}, reader)).rejects.toThrow('operator');
});
