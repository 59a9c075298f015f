import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecordUsageRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { GenerateResponseSchema, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { doneOf, eventually, modelAt, startTestGateway, usagesOf } from '../testing/gateway.ts';
import { content, doneMark, finish, startFakeProvider, streamed } from '../testing/provider-server.ts';
import { createUsageMeter } from './usage.ts';

const prices = { version: '2026-12', currency: 'USD', prices: [{ model: 'gpt', prompt: 3, completion: 15 }] };
/** A chunk whose counts are written as they are, since JSON has numbers that no bigint or double writes. */
const counted = (prompt: string, completion: string) =>
  `data: {"choices":[],"usage":{"prompt_tokens":${prompt},"completion_tokens":${completion}}}\n\n`;
const answer = (...usages: string[]) => streamed([content('five working days'), finish('stop'), ...usages, doneMark]);

describe('a count that cannot be one', () => {
  test.each([
    ['-1 as an unsigned number', '18446744073709551615'],
    ['the largest signed number', '9223372036854775807'],
    ['1e30', '1e30'],
    ['more than any context', '10000001'],
    ['infinite', '1e999'],
    ['negative', '-1'],
    ['a fraction', '12.5'],
    ['a string', '"12"'],
    ['an object', '{}'],
    ['a boolean', 'true'],
  ])('is estimated, and marked so: %s', async (_, count) => {
    for (const [prompt, completion] of [
      [count, '3'],
      ['30', count],
    ] as const) {
      await using server = await startFakeProvider(answer(counted(prompt, completion)));
      await using gateway = await startTestGateway({
        models: [modelAt(server.url)],
        prices,
        limits: { defaultTenant: { tokensPerMinute: 100_000n, costMicrosPerDay: 1_000_000n } },
      });
      const responses = await gateway.ask({ requestId: 'r', maxTokens: 100 });
      expect(doneOf(responses).outcome).toBe(Outcome.COMPLETE);
      const [usage] = usagesOf(responses);
      expect(usage?.provenance).toBe(UsageProvenance.ESTIMATED);
      expect(usage?.promptTokens).toBeLessThan(100n);
      expect(usage?.promptTokens).toBeGreaterThan(0n);
      expect(usage?.completionTokens).toBeLessThan(100n);
      expect(usage?.completionTokens).toBeGreaterThan(0n);
      expect(usage?.costMicros).toBeLessThan(3000n);
      await eventually(() => expect(gateway.entries.get('r')?.usages[0]?.usage).toMatchObject({ ...usage }));
      // The limits of the key were charged the same: the next request is admitted.
      expect(doneOf(await gateway.ask({ requestId: 's', maxTokens: 100 })).outcome).toBe(Outcome.COMPLETE);
    }
  });

  test('does not leave an earlier count of the same stream for the last one', async () => {
    await using server = await startFakeProvider(answer(counted('30', '1'), counted('30', '1e30')));
    await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
    const [usage] = usagesOf(await gateway.ask());
    expect(usage).toMatchObject({ promptTokens: 30n, provenance: UsageProvenance.ESTIMATED });
    expect(usage?.completionTokens).toBeGreaterThan(1n);
  });

  test('is one beyond the context of the model, if it is known', async () => {
    await using server = await startFakeProvider(answer(counted('5000', '3')));
    await using gateway = await startTestGateway({
      models: [
        modelAt(server.url, 'small', { contextTokens: 4096 }),
        modelAt(server.url, 'large', { contextTokens: 8192 }),
      ],
    });
    const [small] = usagesOf(await gateway.ask({ model: 'small', maxTokens: 10 }));
    const [large] = usagesOf(await gateway.ask({ model: 'large', maxTokens: 10 }));
    expect(small).toMatchObject({ provenance: UsageProvenance.ESTIMATED });
    expect(small?.promptTokens).toBeLessThan(100n);
    expect(large).toMatchObject({ promptTokens: 5000n, provenance: UsageProvenance.REPORTED });
  });

  test('of a part is not taken either, and the usage is marked', () => {
    const meter = createUsageMeter(() => 7);
    const report = { promptTokens: 10, completionTokens: 3, cacheWriteTokens: undefined, reasoningTokens: undefined };
    meter.report({ ...report, cachedPromptTokens: -1 });
    expect(meter.total(true)).toMatchObject({ cachedPromptTokens: 0, provenance: UsageProvenance.ESTIMATED });
    meter.report({ ...report, cachedPromptTokens: 4 });
    expect(meter.total(true)).toMatchObject({ cachedPromptTokens: 4, provenance: UsageProvenance.REPORTED });
  });

  test('of a part is cut to its whole', () => {
    const meter = createUsageMeter(() => 7);
    meter.report({
      promptTokens: 10,
      completionTokens: 3,
      cachedPromptTokens: 40,
      cacheWriteTokens: 2,
      reasoningTokens: 9,
    });
    expect(meter.total(true)).toMatchObject({ cachedPromptTokens: 10, cacheWriteTokens: 0, reasoningTokens: 3 });
  });

  test.each([
    [
      'anthropic',
      [
        'event: message_start\ndata: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":1e30,"output_tokens":1}}}\n\n',
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}\n\n',
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":-5}}\n\n',
        'event: message_stop\ndata: {"type":"message_stop"}\n\n',
      ],
    ],
    [
      'openai-responses',
      [
        'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"ok"}\n\n',
        'event: response.completed\ndata: {"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":"7","output_tokens":18446744073709551615}}}\n\n',
      ],
    ],
    ['ollama', ['{"model":"m","message":{"content":"ok"},"done":true,"prompt_eval_count":-1,"eval_count":1e30}\n']],
  ])('is estimated on every wire, and changes no outcome: %s', async (adapter, chunks) => {
    await using server = await startFakeProvider(streamed(chunks));
    const base_url = adapter === 'openai-responses' ? server.url : server.url.replace('/v1', '');
    const settings = { base_url, model: 'm', ...(adapter === 'ollama' ? {} : { api_key: 'k' }) };
    await using gateway = await startTestGateway({ models: [{ name: 'm', adapter, settings }] });
    const responses = await gateway.ask({ maxTokens: 50 });
    expect(doneOf(responses).outcome).toBe(Outcome.COMPLETE);
    const [usage] = usagesOf(responses);
    expect(usage?.provenance).toBe(UsageProvenance.ESTIMATED);
    expect(usage?.promptTokens).toBeGreaterThan(0n);
    expect(usage?.promptTokens).toBeLessThan(100n);
    expect(usage?.completionTokens).toBeLessThan(10n);
  });
});

test('whatever a provider counts, charges are finite and not negative, every message can be encoded, and the ledger drains', async () => {
  let usages: string[] = [];
  await using server = await startFakeProvider((response, request, body) => answer(...usages)(response, request, body));
  await using gateway = await startTestGateway({ models: [modelAt(server.url)], prices });
  const number = fc.oneof(
    fc.integer().map(String),
    fc.double().map((value) => JSON.stringify(value)),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    fc.constantFrom('null', '"3"', '1e999', '-0', '0', '10000000', '[]'),
  );
  const chunk = fc
    .tuple(number, number, number, number, number, number)
    .map(
      ([prompt, completion, total, cached, written, reasoning]) =>
        `data: {"choices":[],"usage":{"prompt_tokens":${prompt},"completion_tokens":${completion},"total_tokens":${total},"prompt_tokens_details":{"cached_tokens":${cached},"cache_write_tokens":${written}},"completion_tokens_details":{"reasoning_tokens":${reasoning}}}}\n\n`,
    );
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 4 }), async (chunks) => {
      usages = chunks;
      const responses = await gateway.ask({ requestId: `r${count++}` });
      for (const response of responses) toBinary(GenerateResponseSchema, response);
      const [usage] = usagesOf(responses);
      const { promptTokens = -1n, completionTokens = -1n, costMicros = -1n } = usage ?? {};
      expect(promptTokens).toBeGreaterThanOrEqual(0n);
      expect(completionTokens).toBeGreaterThanOrEqual(0n);
      expect(costMicros).toBeGreaterThanOrEqual(0n);
      expect(costMicros).toBeLessThanOrEqual(10_000_000n * 18n);
    }),
    { numRuns: 40 },
  );
  await eventually(() => expect(gateway.entries.size).toBe(count));
  for (const entry of gateway.entries.values()) toBinary(RecordUsageRequestSchema, entry);
  expect(await gateway.metric('ragmesh_llm_ledger_pending')).toBe(0);
  expect(await gateway.metric('ragmesh_llm_ledger_total{outcome="dropped"}')).toBe(0);
});
