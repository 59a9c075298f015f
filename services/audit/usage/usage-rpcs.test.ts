import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AuditErasureService } from '#gen/ragmesh/audit/v1/audit_erasure_pb.ts';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { type UsageAmounts, UsageDimension, UsageFormat, UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { audit } from '../index.ts';
import { type AuditSchema, migrations } from '../records/schema.ts';
import { recordOf } from '../testing/audit.ts';
import { periodsOf } from './usage-pages.ts';

const now = Date.parse('2026-11-30T12:00:00Z');
const dayMs = 86_400_000;
const year = { fromDay: '2025-11-30', beforeDay: '2026-12-01' };

interface Call {
  user: string;
  model: string;
  purpose: string;
  key: string;
  costCentre?: string;
  daysAgo: number;
  tokens: number;
  /** @default USD */
  currency?: string;
}

/** Records calls of models, and answers, each with an id of its own. */
async function record(mesh: TestMesh, tenant: string, calls: readonly Call[]) {
  const recordOne = async (
    { user, model, purpose, key, costCentre = '', daysAgo, tokens, currency = 'USD' }: Call,
    at: number,
  ) => {
    const options = await mesh.as(testPrincipal({ tenant, user, keyId: key }));
    const completionTokens = tokens === 0 ? 0n : 1n;
    const usage = { promptTokens: BigInt(tokens), completionTokens, costMicros: BigInt(tokens), currency };
    await mesh.client(AuditService).recordUsage(
      {
        requestId: `r${at}`,
        purpose,
        costCentre,
        usages: [{ model, provider: 'openai', usage }],
        requestedAt: timestampFromMs(now - daysAgo * dayMs),
      },
      options,
    );
  };
  // Fewer than a service takes at the same time.
  for (let at = 0; at < calls.length; at += 500) {
    await Promise.all(calls.slice(at, at + 500).map((call, index) => recordOne(call, at + index)));
  }
}

const call = fc.record({
  user: fc.constantFrom('ann', 'bob', 'cid'),
  model: fc.constantFrom('gpt', 'qwen'),
  purpose: fc.constantFrom('answer', 'rewrite', ''),
  key: fc.constantFrom('', 'k1', 'k2'),
  costCentre: fc.constantFrom('', 'sales', 'support'),
  daysAgo: fc.integer({ min: 0, max: 90 }),
  tokens: fc.integer({ min: 1, max: 1000 }),
});

test('by each dimension the sums are those of the calls, over any days, in pages of any size', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => now });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(call, { maxLength: 25 }),
      fc.integer({ min: 0, max: 90 }),
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 1, max: 3 }),
      async (calls, endsAgo, length, pageSize) => {
        const tenant = `t${++run}`;
        await record(mesh, tenant, calls);
        const options = await mesh.as(testPrincipal({ tenant }));
        const dayOf = (daysAgo: number) => new Date(now - daysAgo * dayMs).toISOString().slice(0, 10);
        const days = { fromDay: dayOf(endsAgo + length - 1), beforeDay: dayOf(endsAgo - 1) };
        const within = calls.filter(({ daysAgo }) => daysAgo >= endsAgo && daysAgo < endsAgo + length);
        for (const [dimension, name] of [
          [UsageDimension.MODEL, 'model'],
          [UsageDimension.USER, 'user'],
          [UsageDimension.PURPOSE, 'purpose'],
          [UsageDimension.KEY, 'key'],
          [UsageDimension.COST_CENTRE, 'costCentre'],
        ] as const) {
          const found = new Map<string, bigint>();
          let pageToken = '';
          do {
            const page = await mesh
              .client(UsageService)
              .listUsage({ ...days, dimension, pageSize, pageToken }, options);
            for (const row of page.rows) found.set(row.name, row.amounts?.costMicros ?? 0n);
            pageToken = page.nextPageToken;
          } while (pageToken !== '');
          const expected = new Map<string, bigint>();
          for (const each of within) {
            const value = each[name] ?? '';
            if ((name === 'key' || name === 'costCentre') && value === '') continue;
            expected.set(value, (expected.get(value) ?? 0n) + BigInt(each.tokens));
          }
          expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
          expect([...found.values()]).toEqual([...found.values()].toSorted((a, b) => Number(b - a)));
        }
        const trend = await mesh
          .client(UsageService)
          .getUsageTrend({ ...days, dimension: UsageDimension.USER, nameCount: 1 }, options);
        const sum = (all: readonly (UsageAmounts | undefined)[]) =>
          all.reduce((total, amounts) => total + Number(amounts?.costMicros ?? 0n), 0);
        const cost = within.reduce((total, { tokens }) => total + tokens, 0);
        expect(sum(trend.totals)).toBe(cost);
        expect(sum(trend.points.map(({ amounts }) => amounts))).toBe(cost);
        expect(trend.names.length).toBe(within.length === 0 ? 0 : 1);
      },
    ),
    { numRuns: 15 },
  );
});

test('months and the days around them are the days of a range, each once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 400 }), (start, length) => {
      const day = (at: number) => new Date(Date.UTC(2025, 0, 1) + at * dayMs).toISOString().slice(0, 10);
      const all = Array.from({ length: 1000 }, (_, at) => day(at));
      const periods = periodsOf('user', { from: day(start), before: day(start + length) });
      const covered = all.map((each) => periods.filter((period) => each.startsWith(period)).length);
      expect(covered).toEqual(all.map((_, at) => (at >= start && at < start + length ? 1 : 0)));
    }),
  );
});

test('what the cache saved is what its answers would have used', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => now });
  const options = await mesh.as();
  const usage = { promptTokens: 90n, completionTokens: 10n, costMicros: 7n, currency: 'USD' };
  await mesh.client(AuditService).record(recordOf('a1', { model: 'gpt', usage }), options);
  const cached = { model: 'gpt', usage: { ...usage, fromCache: true }, cacheLayer: CacheLayer.MEMORY };
  await mesh.client(AuditService).record(recordOf('a2', cached), options);
  const { totals } = await mesh
    .client(UsageService)
    .getUsageTrend({ ...year, dimension: UsageDimension.MODEL }, options);
  expect(totals).toMatchObject([
    { answerCount: 2n, cachedCount: 1n, promptTokens: 90n, costMicros: 7n, savedTokens: 100n, savedMicros: 7n },
  ]);
});

test('a user who is erased or too old is in no total, and what was spent stays', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => now });
  const base = { model: 'gpt', purpose: 'answer', key: '', tokens: 10 };
  await record(mesh, 'acme', [
    { ...base, user: 'ann', daysAgo: 0 },
    { ...base, user: 'bob', daysAgo: 3 },
    { ...base, user: 'bob', daysAgo: 40, key: 'k1', costCentre: 'sales' },
    { ...base, user: 'cid', daysAgo: 40, key: 'k1', costCentre: 'sales' },
  ]);
  const options = await mesh.as();
  const users = async (days = year) =>
    Object.fromEntries(
      (await mesh.client(UsageService).listUsage({ ...days, dimension: UsageDimension.USER }, options)).rows.map(
        ({ name, amounts }) => [name.replace(/^subject-.*/, 'subject'), Number(amounts?.costMicros)],
      ),
    );
  expect(await users()).toEqual({ ann: 10, bob: 20, cid: 10 });
  await mesh.client(AuditErasureService).eraseAuditUser({ erasureId: 'e1', user: 'ann' }, options);
  expect(await users()).toEqual({ subject: 10, bob: 20, cid: 10 });
  const ledgerBefore = timestampFromMs(now - 10 * dayMs);
  await mesh.client(AuditErasureService).expireAudit({ erasureId: 'e2', ledgerBefore, heldUsers: ['cid'] }, options);
  expect(await users()).toEqual({ subject: 10, bob: 10, cid: 10, '': 10 });
  expect(await users({ fromDay: '2026-10-01', beforeDay: '2026-11-01' })).toEqual({ cid: 10, '': 10 });
});

test('the sums of all tenants are for those who maintain them, and a tenant sees its own only', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => now });
  const base = { user: 'ann', model: 'gpt', purpose: 'answer', key: 'k1', daysAgo: 0 };
  await record(mesh, 'acme', [{ ...base, tokens: 10 }]);
  await record(mesh, 'bolt', [{ ...base, tokens: 30 }]);
  const platform = await mesh.as(testPrincipal({ tenant: 'ops', roles: [Role.PLATFORM_ADMINISTRATOR] }));
  const { rows } = await mesh.client(UsageService).listTenantUsage(year, platform);
  expect(rows).toMatchObject([
    { name: 'bolt', amounts: { costMicros: 30n } },
    { name: 'acme', amounts: { costMicros: 10n } },
  ]);
  const auditor = await mesh.as(testPrincipal({ tenant: 'acme', roles: [Role.AUDITOR] }));
  const error = await mesh.client(UsageService).listTenantUsage(year, auditor).catch(ConnectError.from);
  expect(error).toMatchObject({ code: Code.PermissionDenied });
  const own = await mesh.client(UsageService).listUsage({ ...year, dimension: UsageDimension.KEY }, auditor);
  expect(own.rows).toMatchObject([{ name: 'k1', amounts: { costMicros: 10n } }]);
});

test('a file has each day, model and user once; a formula in a name is none', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => now });
  const base = { model: 'gpt', purpose: 'answer', key: '', tokens: 10 };
  await record(mesh, 'acme', [
    ...Array.from({ length: 1100 }, (_, at) => ({ ...base, user: `u${at}`, daysAgo: at % 3 })),
    { ...base, user: '=1+1', daysAgo: 0 },
  ]);
  const read = async (format: UsageFormat) => {
    const parts = await collect(mesh.client(UsageService).exportUsage({ ...year, format }, await mesh.as()));
    return parts
      .map(({ text }) => text)
      .join('')
      .trim()
      .split('\n');
  };
  const lines = await read(UsageFormat.CSV);
  expect(lines.length).toBe(1102);
  expect(new Set(lines).size).toBe(1102);
  expect(lines).toContain("2026-11-30,gpt,'=1+1,0,0,10,1,0.000010,USD,,");
  expect((await read(UsageFormat.FOCUS))[0]).toMatch(/^BilledCost,/);
});

test('a file names who pays, in the columns of FOCUS as tags; the report does not change', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => now });
  const base = { user: 'ann', model: 'gpt', purpose: 'answer', daysAgo: 0 };
  await record(mesh, 'acme', [
    { ...base, key: 'k1', costCentre: 'sales', tokens: 10 },
    { ...base, key: 'k1', costCentre: 'sales', tokens: 20 },
    { ...base, key: 'k2', tokens: 30 },
    { ...base, key: '', tokens: 40 },
  ]);
  const options = await mesh.as();
  const read = async (format: UsageFormat) =>
    (await collect(mesh.client(UsageService).exportUsage({ ...year, format }, options)))
      .map(({ text }) => text)
      .join('');
  expect((await read(UsageFormat.CSV)).trim().split('\n').slice(1)).toEqual([
    '2026-11-30,gpt,ann,0,0,40,1,0.000040,USD,,',
    '2026-11-30,gpt,ann,0,0,30,2,0.000030,USD,k1,sales',
    '2026-11-30,gpt,ann,0,0,30,1,0.000030,USD,k2,',
  ]);
  const focus = await read(UsageFormat.FOCUS);
  expect(focus).toContain('"{""user"":""ann"",""api_key"":""k1"",""cost_centre"":""sales""}"');
  expect(focus).toContain('"{""user"":""ann"",""api_key"":""k2""}"');
  const { rows } = await mesh.client(AuditService).getUsageReport({}, options);
  expect(rows).toMatchObject([{ day: '2026-11-30', model: 'gpt', user: 'ann', promptTokens: 100n, costMicros: 100n }]);
});

// "Feature level: Mandatory" in the columns of FOCUS 1.0, without those that may be empty.
const neverEmpty = [
  ...['BilledCost', 'BillingAccountId', 'BillingCurrency', 'BillingPeriodEnd', 'BillingPeriodStart', 'ChargeCategory'],
  ...['ChargeDescription', 'ChargePeriodEnd', 'ChargePeriodStart', 'ContractedCost', 'EffectiveCost'],
  ...['InvoiceIssuerName', 'ListCost', 'PricingQuantity', 'PricingUnit', 'ProviderName', 'PublisherName'],
  ...['ServiceCategory', 'ServiceName'],
];

test('a file of FOCUS has a value in each mandatory column, also without a price, and only rows that are charges', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => now });
  const base = { user: 'ann', purpose: 'answer', key: '', daysAgo: 0 };
  await record(mesh, 'acme', [
    { ...base, model: 'gpt', tokens: 10 },
    { ...base, model: 'extractive', tokens: 20, currency: '' },
    { ...base, model: 'idle', tokens: 0 },
  ]);
  const parts = await collect(
    mesh.client(UsageService).exportUsage({ ...year, format: UsageFormat.FOCUS }, await mesh.as()),
  );
  const [header = '', ...lines] = parts
    .map(({ text }) => text)
    .join('')
    .trim()
    .split('\n');
  const columns = header.split(',');
  expect(columns).toEqual(expect.arrayContaining([...neverEmpty, 'BillingAccountName', 'ChargeClass']));
  const rows = lines.map((line) => Object.fromEntries(line.split(',').map((cell, at) => [columns[at], cell])));
  expect(rows).toMatchObject([
    { ResourceId: 'extractive', BillingAccountId: 'acme', BillingCurrency: 'XXX', PricingQuantity: '21' },
    { ResourceId: 'gpt', BillingAccountId: 'acme', BillingCurrency: 'USD', PricingQuantity: '11' },
  ]);
  for (const row of rows) expect(neverEmpty.filter((column) => !row[column])).toEqual([]);
});

test('sums of the release before, which knew no keys and cost centres, stay and are added to', async () => {
  /** The audit with the schema of before: it has one sum. */
  const before = defineService({
    ...{ name: 'audit', contracts: [], config: () => ({}), needs: {} },
    async create({ openDatabase }) {
      const { sqlite, postgres = [] } = migrations;
      const old = { sqlite: sqlite.slice(0, 5), postgres: postgres.slice(0, 5) };
      const db = await openDatabase<AuditSchema>('audit', old);
      const row = { tenant: 'acme', day: '2026-11-30', model: 'gpt', user: 'ann', currency: 'USD', answer_count: 1 };
      const amounts = { cached_count: 0, prompt_tokens: 7, completion_tokens: 1, cost_micros: 5 };
      await db
        .insertInto('usage')
        .values({ ...row, ...amounts } as AuditSchema['usage'])
        .execute();
      return { impl: {}, close: async () => {} };
    },
  });
  const old = await startTestMesh([before], { clock: () => now });
  await old.close(true);
  await using mesh = await startTestMesh([audit], { clock: () => now, dataDir: old.dataDir });
  const base = { user: 'ann', model: 'gpt', purpose: 'answer', daysAgo: 0 };
  await record(mesh, 'acme', [{ ...base, key: 'k1', costCentre: 'sales', tokens: 10 }]);
  const options = await mesh.as();
  const { rows } = await mesh.client(AuditService).getUsageReport({}, options);
  expect(rows).toMatchObject([{ answerCount: 1n, promptTokens: 17n, completionTokens: 2n, costMicros: 15n }]);
  const parts = await collect(mesh.client(UsageService).exportUsage({ ...year, format: UsageFormat.CSV }, options));
  expect(
    parts
      .map(({ text }) => text)
      .join('')
      .trim()
      .split('\n')
      .slice(1),
  ).toEqual(['2026-11-30,gpt,ann,1,0,7,1,0.000005,USD,,', '2026-11-30,gpt,ann,0,0,10,1,0.000010,USD,k1,sales']);
});

test("a provider's file is compared with the ledger, and a bad one is refused with its line", async () => {
  await using mesh = await startTestMesh([audit], { clock: () => now });
  const base = { user: 'ann', model: 'gpt', purpose: 'answer', key: '' };
  await record(mesh, 'acme', [
    { ...base, daysAgo: 1, tokens: 2_000_000 },
    { ...base, daysAgo: 0, tokens: 3_000_000 },
  ]);
  const columns = { dayColumn: 'date', modelColumn: 'model', costColumn: 'cost' };
  const reconcile = async (csv: string) =>
    mesh.client(UsageService).reconcileUsage({ csv, ...columns }, await mesh.as());
  expect(await reconcile('date,model,cost\n2026-11-29,gpt,2\n2026-11-30,gpt,4\n')).toMatchObject({
    ...{ fromDay: '2026-11-29', beforeDay: '2026-12-01', ledgerCost: 5, providerCost: 6, differenceCount: 1 },
    differences: [{ day: '2026-11-30', model: 'gpt', ledgerCost: 3, providerCost: 4 }],
  });
  const error = await reconcile('date,model,cost\n2026-11-29,gpt,\n').catch(ConnectError.from);
  expect(error).toMatchObject({ code: Code.InvalidArgument, rawMessage: expect.stringContaining('line 2') });
});
