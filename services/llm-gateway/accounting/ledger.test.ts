import { type Client, Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { AuditService, type RecordUsageRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { LLMGatewayService, MessageRole } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { invalidArgument, rpcError, unavailable } from '#kit/base/errors.ts';
import { createLogger } from '#kit/base/log.ts';
import { collect } from '#kit/base/streams.ts';
import { defineService } from '#kit/host/define-service.ts';
import { calls as callsOf } from '#kit/rpc/needs.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { createLedger, type Ledger, type LedgerBounds } from './ledger.ts';

/** What audit does with the n-th call, from 1. */
type Script = (call: number, request: RecordUsageRequest, signal: AbortSignal) => unknown;

/** A gateway that only records, in front of an audit that follows a script. `isApart`: audit is called over gRPC, in bytes. */
const start = async (script: Script, bounds: LedgerBounds = {}, clock: () => number = Date.now, isApart = false) => {
  const received: string[] = [];
  /** Entries of each call with several of them. */
  const batches: number[] = [];
  const errors: object[] = [];
  let calls = 0;
  const audit = defineService({
    name: 'audit',
    contracts: [AuditService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async recordUsage(request, context) {
          await script(++calls, request, context.signal);
          const { tenant, user } = context.principal;
          received.push(`${tenant}/${user}/${request.requestId}`);
          return { recorded: true };
        },
        async recordAllUsage({ requests }, context) {
          calls += 1;
          for (const request of requests) await script(calls, request, context.signal);
          const { tenant, user } = context.principal;
          received.push(...requests.map(({ requestId }) => `${tenant}/${user}/${requestId}`));
          batches.push(requests.length);
          return { recorded: requests.map(() => true) };
        },
      },
      close: async () => {},
    }),
  });
  let ledger: Ledger | undefined;
  const gateway = defineService({
    name: 'llm-gateway',
    contracts: [LLMGatewayService],
    config: () => ({}),
    needs: { audit: callsOf(AuditService, 'recordUsage', 'recordAllUsage') },
    async create(deps) {
      const log = createLogger('silent');
      log.error = ((fields: object) => errors.push(fields)) as never;
      const overGrpc: typeof deps.clients.audit = {
        recordUsage: (request, options) => grpcAudit().recordUsage(request, options),
        recordAllUsage: (request, options) => grpcAudit().recordAllUsage(request, options),
      };
      const audit = isApart ? overGrpc : deps.clients.audit;
      const parts = { audit, log, metrics: deps.metrics, random: deps.random };
      const made = createLedger({ ...parts, clock: deps.clock, signer: deps.signer }, { backoffMs: 5, ...bounds });
      ledger = made;
      return {
        impl: {
          async *generate({ requestId }, context) {
            // More than 64 bits.
            const promptTokens = requestId.startsWith('absurd') ? 2n ** 70n : 12n;
            const usage = { promptTokens, completionTokens: 3n, costMicros: 45n, currency: 'USD' };
            const usages = requestId === 'none' ? [] : [{ model: 'gpt', provider: 'openai', usage }];
            made.record({ requestId, usages, requestedAt: 1_700_000_000_000, traceId: 'ab' }, context);
            yield { event: { case: 'textDelta', value: { text: requestId } } };
          },
        },
        close: () => made.close(),
      };
    },
  });
  const mesh = await startTestMesh([audit, gateway], { clock });
  let client: Client<typeof AuditService> | undefined;
  const grpcAudit = () => {
    client ??= mesh.grpcClient(AuditService);
    return client;
  };
  const ask = async (requestId: string, user = 'ann') => {
    const options = await mesh.as(testPrincipal({ user }));
    const messages = [{ role: MessageRole.USER, text: 'x' }];
    await collect(mesh.client(LLMGatewayService).generate({ requestId, messages }, options));
  };
  const counts = async () => {
    const text = await mesh.host.metrics.registry.getSingleMetricAsString('ragmesh_llm_ledger_total');
    return Object.fromEntries(
      [...text.matchAll(/outcome="(\w+)"} ([1-9]\d*)/g)].map(([, outcome, n]) => [outcome, Number(n)]),
    );
  };
  return { mesh, ask, received, batches, errors, counts, ledger: ledger as unknown as Ledger, calls: () => calls };
};

test('usage goes to audit as the caller, who does not wait for it and may have gone', async () => {
  const gate = Promise.withResolvers<void>();
  const requests: RecordUsageRequest[] = [];
  const at = await start((_, request) => {
    requests.push(request);
    return gate.promise;
  });
  await at.ask('r1', 'bob');
  await at.ask('none');
  expect(at.ledger.pending).toBe(1);
  gate.resolve();
  await at.ledger.idle();
  expect(at.received).toEqual(['acme/bob/r1']);
  expect(requests[0]).toMatchObject({
    usages: [{ model: 'gpt', provider: 'openai', usage: { promptTokens: 12n, costMicros: 45n } }],
    requestedAt: { seconds: 1_700_000_000n },
    traceId: 'ab',
  });
  await at.mesh.close();
});

test('entries of one caller that follow one another leave in calls of at most 64, and those of others apart', async () => {
  const at = await start(() => {}, { gatherMs: 1000 });
  await at.ask('first');
  const asked = Array.from({ length: 70 }, (_, index) => at.ask(`r${index}`, index % 10 === 0 ? 'bob' : 'ann'));
  await Promise.all(asked);
  await at.ledger.idle();
  expect(at.batches.toSorted()).toEqual([63, 7].toSorted());
  expect(at.calls()).toBe(3);
  expect(at.received.filter((entry) => entry.startsWith('acme/bob/'))).toHaveLength(7);
  expect(new Set(at.received).size).toBe(71);
  expect(await at.counts()).toEqual({ delivered: 71 });
  await at.mesh.close();
});

test('if audit does not know calls with several entries, each goes by itself', async () => {
  const at = await start(
    (call) => {
      if (call === 2) throw rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, 'not here');
    },
    { gatherMs: 1000 },
  );
  await at.ask('first');
  await Promise.all(Array.from({ length: 5 }, (_, index) => at.ask(`r${index}`)));
  await at.ledger.idle();
  expect(at.batches).toEqual([]);
  expect(at.calls()).toBe(7);
  expect(new Set(at.received).size).toBe(6);
  await at.mesh.close();
});

test('while audit is away, nothing is lost and it is not stormed; when it is back, everything arrives', async () => {
  let isAway = true;
  const at = await start(
    () => {
      if (isAway) throw unavailable('audit database', 'away');
    },
    { maxBackoffMs: 20, maxSending: 4 },
  );
  await Promise.all(Array.from({ length: 50 }, (_, index) => at.ask(`r${index}`)));
  await expect.poll(() => at.calls()).toBeGreaterThan(6);
  expect(at.ledger.pending).toBe(50);
  isAway = false;
  await at.ledger.idle();
  expect(new Set(at.received).size).toBe(50);
  expect(await at.counts()).toMatchObject({ delivered: 50 });
  expect(at.errors).toEqual([]);
  await at.mesh.close();
});

test('an entry that audit cannot take does not hold up the others', async () => {
  const at = await start(
    (_, { requestId }) => {
      if (requestId === 'poison') throw rpcError(Code.Internal, ErrorReason.INTERNAL, 'bug');
    },
    { maxBackoffMs: 5, closeMs: 50 },
  );
  await at.ask('poison');
  for (let count = 0; count < 10; count++) await at.ask(`r${count}`);
  await expect.poll(() => at.received.length).toBe(10);
  await at.mesh.close();
  expect(at.errors).toMatchObject([{ request_id: 'poison' }]);
});

test('an entry that cannot be encoded is dropped at its first attempt, logged with its cost, and delays no other', async () => {
  // A pause that no test waits for: the others arrive only if there is none.
  const at = await start(() => {}, { backoffMs: 600_000, maxBackoffMs: 600_000 }, Date.now, true);
  for (let count = 0; count < 5; count++) {
    await at.ask(`absurd${count}`);
    for (let other = 0; other < 8; other++) await at.ask(`r${count}.${other}`);
  }
  await at.ledger.idle();
  expect(at.received).toHaveLength(40);
  expect(await at.counts()).toEqual({ delivered: 40, dropped: 5 });
  const usages = [{ model: 'gpt', prompt_tokens: String(2n ** 70n), cost_micros: '45' }];
  expect(at.errors).toHaveLength(5);
  expect(at.errors).toContainEqual(expect.objectContaining({ request_id: 'absurd0', attempts: 1 }));
  expect(at.errors[0]).toMatchObject({ usages });
  await at.mesh.close();
});

test('entries on which audit fails delay no other, and are dropped once audit has taken others meanwhile', async () => {
  const at = await start(
    (_, { requestId }) => {
      if (requestId.startsWith('poison')) throw rpcError(Code.Internal, ErrorReason.INTERNAL, 'bug');
    },
    { backoffMs: 1, maxBackoffMs: 1, maxAttempts: 3, gatherMs: 0 },
  );
  await at.ask('poison0');
  await at.ask('poison1');
  await expect.poll(() => at.calls()).toBeGreaterThan(8);
  // Audit has taken nothing else: it may be at fault.
  expect(at.ledger.pending).toBe(2);
  for (let count = 0; count < 20; count++) await at.ask(`r${count}`);
  await at.ledger.idle();
  expect(at.received).toHaveLength(20);
  expect(at.errors.map((fields) => (fields as { request_id: string }).request_id).sort()).toEqual([
    'poison0',
    'poison1',
  ]);
  expect(await at.counts()).toMatchObject({ delivered: 20, dropped: 2 });
  await at.mesh.close();
});

test('an audit that fails on everything for a while gets everything in the end', async () => {
  let isBroken = true;
  const at = await start(
    () => {
      if (isBroken) throw rpcError(Code.Internal, ErrorReason.INTERNAL, 'disk');
    },
    { backoffMs: 1, maxBackoffMs: 2, maxAttempts: 2 },
  );
  for (let count = 0; count < 10; count++) await at.ask(`r${count}`);
  await expect.poll(() => at.calls()).toBeGreaterThan(40);
  isBroken = false;
  await at.ledger.idle();
  expect(new Set(at.received).size).toBe(10);
  expect(at.errors).toEqual([]);
  await at.mesh.close();
});

test('an entry that audit refuses is dropped immediately, and logged with its cost', async () => {
  const at = await start(() => {
    throw invalidArgument('bad');
  });
  await at.ask('r1');
  await at.ledger.idle();
  expect(at.calls()).toBe(1);
  const usages = [{ model: 'gpt', prompt_tokens: '12', completion_tokens: '3', cost_micros: '45', currency: 'USD' }];
  expect(at.errors).toMatchObject([{ request_id: 'r1', trace_id: 'ab', usages }]);
  expect(await at.counts()).toEqual({ dropped: 1 });
  await at.mesh.close();
});

test('entries beyond the limit of pending entries are dropped, and logged', async () => {
  const gate = Promise.withResolvers<void>();
  const at = await start(() => gate.promise, { maxPending: 3, maxSending: 1 });
  for (let index = 0; index < 5; index++) await at.ask(`r${index}`);
  expect(at.ledger.pending).toBe(3);
  expect(at.errors).toMatchObject([{ request_id: 'r3' }, { request_id: 'r4' }]);
  gate.resolve();
  await at.ledger.idle();
  expect(at.received).toHaveLength(3);
  await at.mesh.close();
});

test('at the end what waits is still delivered, without a long pause', async () => {
  let calls = 0;
  const at = await start(
    () => {
      calls += 1;
      if (calls < 4) throw unavailable('audit database', 'away');
    },
    { backoffMs: 40, maxBackoffMs: 60_000 },
  );
  await at.ask('r1');
  await at.ask('r2');
  await at.mesh.close();
  expect(at.received.sort()).toEqual(['acme/ann/r1', 'acme/ann/r2']);
  expect(at.errors).toEqual([]);
});

test('close does not wait for an audit that hangs: the pending entries are dropped, and logged', async () => {
  const at = await start(
    (_, __, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', reject)),
    {
      closeMs: 30,
      maxSending: 1,
    },
  );
  await at.ask('r1');
  await at.ask('r2');
  await at.mesh.close();
  expect(at.errors).toMatchObject([{ request_id: 'r2' }, { request_id: 'r1' }]);
  expect(at.ledger.pending).toBe(0);
});

test('a caller whose token has expired meanwhile is still the one who pays', async () => {
  const time = { now: Date.parse('2026-11-20T00:00:00Z') };
  let isAway = true;
  const at = await start(
    () => {
      if (isAway) throw unavailable('audit database', 'away');
    },
    { maxBackoffMs: 5 },
    () => time.now,
  );
  await at.ask('r1', 'bob');
  await expect.poll(() => at.calls()).toBeGreaterThan(2);
  time.now += 3600 * 1000;
  isAway = false;
  await at.ledger.idle();
  expect(at.received).toEqual(['acme/bob/r1']);
  await at.mesh.close();
});
