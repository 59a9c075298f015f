import { Code } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { MidStreamPolicy } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { eventually, modelAt, plainQuestion, startTestGateway, usagesOf } from '../testing/gateway.ts';
import {
  content,
  cutAfter,
  doneMark,
  failed,
  finish,
  startFakeProvider,
  streamed,
  usage,
} from '../testing/provider-server.ts';
import { createUsageMeter } from './usage.ts';

const unknown = {
  promptTokens: undefined,
  completionTokens: undefined,
  cachedPromptTokens: undefined,
  cacheWriteTokens: undefined,
  reasoningTokens: undefined,
};

describe('a meter', () => {
  test('takes the last of cumulative reports, and keeps counts that a later one omits', () => {
    const meter = createUsageMeter(() => 7);
    meter.report({ ...unknown, promptTokens: 100, completionTokens: 1, cachedPromptTokens: 40 });
    meter.write('several words that the provider wrote');
    meter.report({ ...unknown, completionTokens: 12 });
    expect(meter.total(true)).toMatchObject({
      promptTokens: 100,
      completionTokens: 12,
      cachedPromptTokens: 40,
      provenance: UsageProvenance.REPORTED,
    });
  });

  test('keeps an explicit zero, and estimates counts that were not reported', () => {
    const meter = createUsageMeter(() => 7);
    meter.report({ ...unknown, promptTokens: 0 });
    meter.write('one two three');
    const used = meter.total(true);
    expect(used).toMatchObject({ promptTokens: 0, provenance: UsageProvenance.ESTIMATED });
    expect(used.completionTokens).toBeGreaterThanOrEqual(3);
  });

  test('adds to a broken stream’s last report what was written after it', () => {
    const meter = createUsageMeter(() => 7);
    meter.report({ ...unknown, promptTokens: 50, completionTokens: 1 });
    const before = meter.total(false);
    meter.write('four words after that');
    const used = meter.total(false);
    expect(before).toMatchObject({ completionTokens: 1, provenance: UsageProvenance.PARTIAL });
    expect(used.completionTokens).toBeGreaterThanOrEqual(5);
    expect(used.provenance).toBe(UsageProvenance.PARTIAL);
  });
});

const price = { version: '2026-11', currency: 'USD', prices: [{ model: 'a', prompt: 1, completion: 10 }] };

test('the caller gets the usage of its answer; the ledger has every charged attempt once', async () => {
  await using a = await startFakeProvider(cutAfter([content('half '), usage(100, 2)]));
  await using b = await startFakeProvider(streamed([content('whole'), finish('stop'), usage(30, 3), doneMark]));
  await using c = await startFakeProvider(failed(503, {}));
  await using gateway = await startTestGateway({
    models: [modelAt(c.url, 'c'), modelAt(a.url, 'a'), modelAt(b.url, 'b')],
    prices: price,
    limits: { costCentres: { sales: { limit: { requestsPerMinute: 10n }, users: ['ann'] } } },
  });
  const responses = await gateway.ask({ requestId: 'r', midStreamPolicy: MidStreamPolicy.RESTART });
  expect(usagesOf(responses)).toMatchObject([{ promptTokens: 30n, completionTokens: 3n, currency: '' }]);
  expect(gateway.entries.get('r')).toMatchObject({ purpose: 'completion', costCentre: 'sales' });
  expect(gateway.entries.get('r')?.usages).toMatchObject([
    {
      model: 'a',
      provider: 'openai-compatible',
      usage: { promptTokens: 100n, completionTokens: 2n, costMicros: 120n, provenance: UsageProvenance.PARTIAL },
    },
    { model: 'b', usage: { promptTokens: 30n, completionTokens: 3n, provenance: UsageProvenance.REPORTED } },
  ]);
});

test('an answer that two targets wrote has the usage of both', async () => {
  await using a = await startFakeProvider(cutAfter([content('half '), usage(100, 2)]));
  await using b = await startFakeProvider(streamed([content('whole'), finish('stop'), usage(30, 3), doneMark]));
  const models = [modelAt(a.url, 'a'), modelAt(b.url, 'b', { prefill: true })];
  await using gateway = await startTestGateway({ models });
  const responses = await gateway.ask({ midStreamPolicy: MidStreamPolicy.CONTINUE, maxTokens: 100 });
  expect(usagesOf(responses)).toMatchObject([
    { promptTokens: 130n, completionTokens: 5n, provenance: UsageProvenance.PARTIAL },
  ]);
  // What the first one wrote is taken off the longest completion.
  const { max_tokens: left = 0 } = b.requests[0] as { max_tokens?: number };
  expect(left).toBeGreaterThan(90);
  expect(left).toBeLessThan(100);
});

test('an answer by quotation is not charged', async () => {
  await using gateway = await startTestGateway({ limits: { defaultTenant: { costMicrosPerDay: 1n } } });
  const evidence = [{ title: 'Refunds', text: 'A refund to a credit card takes 5 working days.' }];
  await gateway.ask({ requestId: 'quoted', evidence });
  expect(gateway.entries.size).toBe(0);
});

describe('limits', () => {
  test('are reserved from the prompt and the longest completion, and settled by what was used', async () => {
    await using server = await startFakeProvider(streamed([content('ok'), finish('stop'), usage(10, 2), doneMark]));
    const limits = { defaultTenant: { tokensPerMinute: 1000n } };
    await using gateway = await startTestGateway({ models: [modelAt(server.url)], limits });
    await expect(gateway.ask({ maxTokens: 2000 })).rejects.toThrow();
    expect(server.requests).toHaveLength(0);
    // 12 tokens each in the end: more than one reservation of 900 would leave room for.
    for (let count = 0; count < 5; count++) await gateway.ask({ maxTokens: 900 });
    expect(server.requests).toHaveLength(5);
  });

  test('refuse a model without a price if money is limited, also if it is one of several', async () => {
    await using server = await startFakeProvider(streamed([content('ok'), finish('stop'), usage(10, 2), doneMark]));
    const limits = { defaultTenant: { costMicrosPerDay: 1_000_000n } };
    await using gateway = await startTestGateway({
      models: [modelAt(server.url, 'a'), modelAt(server.url, 'b')],
      prices: price,
      limits,
    });
    await gateway.ask({ model: 'a' });
    await expect(gateway.ask({ model: 'b' })).rejects.toThrow('price');
    await expect(gateway.ask({})).rejects.toThrow('price');
    expect(server.requests).toHaveLength(1);
  });

  test('reserve what a long prompt may cost, and charge by the tier that the provider’s count is in', async () => {
    await using server = await startFakeProvider(streamed([content('ok'), finish('stop'), usage(1500, 2), doneMark]));
    const tiers = [{ abovePromptTokens: 1000n, prompt: 100, completion: 200 }];
    await using gateway = await startTestGateway({
      models: [modelAt(server.url, 'a')],
      prices: { version: '1', currency: 'USD', prices: [{ model: 'a', prompt: 1, completion: 10, tiers }] },
      limits: { defaultTenant: { costMicrosPerDay: 160_000n } },
    });
    const ask = (words: number) => {
      const messages = [{ ...plainQuestion, text: 'word '.repeat(words) }];
      return gateway.ask({ requestId: `words-${words}`, messages, maxTokens: 10 });
    };
    // Some 1,600 tokens by our count.
    await expect(ask(1400)).rejects.toMatchObject({ code: Code.ResourceExhausted });
    expect(usagesOf(await ask(100))[0]?.costMicros).toBe(150_400n);
    await eventually(() => expect(gateway.entries.get('words-100')?.usages[0]?.usage?.costMicros).toBe(150_400n));
  });
});
