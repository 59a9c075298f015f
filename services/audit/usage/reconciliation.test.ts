import fc from 'fast-check';
import { expect, test } from 'vitest';
import { focusColumns, focusRow } from './focus.ts';
import { compareCosts, parseCosts } from './reconciliation.ts';

test('a row of the ledger has the columns of FOCUS', () => {
  const row = {
    ...{
      day: '2026-12-31',
      model: 'gpt',
      user: 'ann',
      key: 'k1',
      costCentre: 'sales',
      answerCount: 1n,
      cachedCount: 0n,
    },
    ...{ promptTokens: 100n, completionTokens: 20n, costMicros: 12_000_007n, currency: 'USD' },
  };
  const cells = focusRow('acme', row);
  expect(Object.keys(cells).toSorted()).toEqual([...focusColumns].toSorted());
  expect(cells).toMatchObject({
    BilledCost: '12.000007',
    BillingAccountId: 'acme',
    BillingCurrency: 'USD',
    BillingPeriodStart: '2026-12-01T00:00:00Z',
    BillingPeriodEnd: '2027-01-01T00:00:00Z',
    ChargePeriodStart: '2026-12-31T00:00:00Z',
    ChargePeriodEnd: '2027-01-01T00:00:00Z',
    ConsumedQuantity: '120',
    Tags: '{"user":"ann","api_key":"k1","cost_centre":"sales"}',
  });
});

test("a provider's export is read by its own columns, and a bad line is named", () => {
  const text = '\uFEFFmodel,"cost, USD",Date\r\n"gpt ""5""",1.25,2026-12-01T00:00:00Z\r\n\r\nembed,0,2026-12-02\r\n';
  expect(parseCosts(text, ['date', 'model', 'cost, usd'])).toEqual([
    { day: '2026-12-01', model: 'gpt "5"', cost: 1.25 },
    { day: '2026-12-02', model: 'embed', cost: 0 },
  ]);
  expect(() => parseCosts(text, ['day', 'model', 'cost, usd'])).toThrow('no column "day"');
  expect(() => parseCosts('date,model,cost\n2026-12-01,gpt,\n', ['date', 'model', 'cost'])).toThrow('line 2');
});

test('costs that are equal by day and model are not apart, in whatever parts they come', () => {
  const part = fc.record({
    day: fc.constantFrom('2026-12-01', '2026-12-02'),
    model: fc.constantFrom('a', 'b'),
    cost: fc.integer({ min: 1, max: 1000 }),
  });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1 }), fc.integer({ min: 1, max: 100 }), (parts, more) => {
      const halves = parts.flatMap((each) => [
        { ...each, cost: each.cost / 2 },
        { ...each, cost: each.cost / 2 },
      ]);
      expect(compareCosts(parts, halves)).toMatchObject({ differences: [], share: 0 });
      const [first, ...others] = parts as [(typeof parts)[number], ...typeof parts];
      const off = compareCosts([{ ...first, cost: first.cost + more }, ...others], parts);
      expect(off.differences).toMatchObject([{ day: first.day, model: first.model }]);
      expect(off.share).toBeCloseTo(more / off.total.provider, 9);
    }),
  );
});

test('differences that cancel each other are still apart', () => {
  const day = '2026-12-01';
  const ledger = [
    { day, model: 'a', cost: 2 },
    { day, model: 'b', cost: 0 },
  ];
  const provider = [
    { day, model: 'a', cost: 1 },
    { day, model: 'b', cost: 1 },
  ];
  expect(compareCosts(ledger, provider)).toMatchObject({ share: 1, total: { ledger: 2, provider: 2 } });
});
