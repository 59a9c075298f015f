import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  MessageRole,
  MessageSchema,
  Outcome,
  ResponseFormatSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { hasCommand, skipped, startTestServer, type TestServer } from '#kit/testing/server.ts';
import type { LlmProvider, ProviderEvent, ProviderRequest } from '../../../providers/llm-provider.ts';
import { providerErrorOf, requestOf } from '../../../suites/llm-provider.suite.ts';
import { loadAdapter } from '../../../testing/fetch.ts';
import { tinyModel } from '../../../testing/gguf.ts';

// Servers of other projects that speak the protocol. Each is found by its name or by a variable, or skipped and counted.

const never = new AbortController().signal;
const textOf = (events: ProviderEvent[]) => events.map((event) => (event.kind === 'text' ? event.text : '')).join('');
const kindsOf = (events: ProviderEvent[]) => [...new Set(events.map(({ kind }) => kind))];
const ask = async (provider: LlmProvider, init: Partial<ProviderRequest> = {}) =>
  collect(provider.generate(requestOf(init), never));
const answers = (path: string) => async (port: number) => (await fetch(`http://127.0.0.1:${port}${path}`)).ok;

/** Numbers from 0 to 1, the same for the same seed. */
function lehmer(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const llama = process.env.RAGMESH_LLAMA_SERVER ?? 'llama-server';
const noLlama = !hasCommand(llama) && skipped('llama-server', 8, 'apt-get install llama.cpp-tools');

describe.skipIf(noLlama)('with llama-server of llama.cpp', () => {
  let server: TestServer;
  let provider: LlmProvider;
  const load = (settings = {}) =>
    loadAdapter('openai-compatible', {
      base_url: `http://127.0.0.1:${server.port}/v1`,
      api_key: 'sk-llama',
      prefill: true,
      ...settings,
    });

  beforeAll(async () => {
    server = await startTestServer({
      command: llama,
      args: (port, folder) => {
        const model = join(folder, 'tiny.gguf');
        writeFileSync(model, tinyModel(lehmer(1)));
        return [
          '-m',
          model,
          '--alias',
          'tiny',
          '--host',
          '127.0.0.1',
          '--port',
          String(port),
          '-c',
          '1024',
          '-np',
          '2',
          '--api-key',
          'sk-llama',
        ];
      },
      isReady: answers('/health'),
    });
    provider = await load();
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  test('the model is found in its list, text is streamed up to the limit, tokens are counted', async () => {
    const events = await ask(provider, { maxTokens: 8, temperature: 0 });
    expect(events[0]).toEqual({ kind: 'started', model: 'tiny', warnings: [] });
    expect(kindsOf(events)).toEqual(['started', 'text', 'end', 'usage']);
    expect(events.at(-2)).toEqual({ kind: 'end', outcome: Outcome.LENGTH, reason: 'length' });
    expect(events.at(-1)).toMatchObject({ usage: { completionTokens: 8, promptTokens: expect.any(Number) } });
  });

  test('the same seed gives the same text', async () => {
    const request = { maxTokens: 12, temperature: 1, seed: 7n };
    expect(textOf(await ask(provider, request))).toBe(textOf(await ask(provider, request)));
  });

  test('a JSON Schema is kept to, and the answer is complete', async () => {
    const value = { name: 'answer', schemaJson: '{"type":"string","enum":["yes"]}', strict: true };
    const responseFormat = create(ResponseFormatSchema, { form: { case: 'jsonSchema', value } });
    const events = await ask(provider, { responseFormat, maxTokens: 200 });
    expect(textOf(events)).toBe('"yes"');
    expect(events).toContainEqual({ kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' });
  });

  test('a prompt that is cached is counted as such', async () => {
    await ask(provider, { maxTokens: 1, temperature: 0 });
    expect((await ask(provider, { maxTokens: 1, temperature: 0 })).at(-1)).toMatchObject({
      usage: { cachedPromptTokens: expect.any(Number) },
    });
  });

  test('a wrong key is reported as such', async () => {
    const wrong = await load({ api_key: 'sk-wrong', model: 'tiny' });
    expect(await providerErrorOf(wrong.generate(requestOf(), never))).toMatchObject({ kind: 'auth', status: 401 });
  });

  test('a prompt that is too long is reported as such', async () => {
    const messages = [create(MessageSchema, { role: MessageRole.USER, text: 'word '.repeat(2000) })];
    expect(await providerErrorOf(provider.generate(requestOf({ messages }), never))).toMatchObject({
      remedy: 'fix-request',
      kind: 'too-long',
    });
  });

  test('an image for a model that does not see is an error, and not left out', async () => {
    const image = { source: { case: 'data' as const, value: Uint8Array.of(137, 80, 78, 71) }, mediaType: 'image/png' };
    const messages = [create(MessageSchema, { role: MessageRole.USER, text: 'What is it?', images: [image] })];
    expect(await providerErrorOf(provider.generate(requestOf({ messages }), never))).toMatchObject({
      remedy: 'elsewhere',
      kind: 'invalid',
    });
  });

  test('a call that is given up frees its slot', async () => {
    const controller = new AbortController();
    const reason = new Error('gone');
    const consume = async () => {
      for await (const { kind } of provider.generate(requestOf({ maxTokens: 400 }), controller.signal)) {
        if (kind === 'text') controller.abort(reason);
      }
    };
    await expect(consume()).rejects.toBe(reason);
    const isProcessing = async () => {
      const response = await fetch(`http://127.0.0.1:${server.port}/slots`, {
        headers: { authorization: 'Bearer sk-llama' },
      });
      return ((await response.json()) as { is_processing: boolean }[]).some((slot) => slot.is_processing);
    };
    await expect.poll(isProcessing, { timeout: 15_000 }).toBe(false);
  });
});

// It refuses keys that are written down somewhere.
const masterKey = `sk-${randomBytes(32).toString('hex')}`;
const litellm = process.env.RAGMESH_LITELLM ?? 'litellm';
const noLitellm = !hasCommand(litellm) && skipped('litellm', 6, 'pip install "litellm[proxy]"');
const mocked = (name: string, reply: string) =>
  `  - {model_name: ${name}, litellm_params: {model: openai/gpt-4o-mini, api_key: sk-none, mock_response: "${reply}"}}\n`;

describe.skipIf(noLitellm)('with the proxy of LiteLLM', () => {
  let server: TestServer;
  const load = (model: string, api_key = masterKey) =>
    loadAdapter('openai-compatible', { base_url: `http://127.0.0.1:${server.port}/v1`, api_key, model });

  beforeAll(async () => {
    server = await startTestServer({
      command: litellm,
      args: (port, folder) => {
        const config = join(folder, 'config.yaml');
        const models = [
          mocked('writer', '退款需要五天 [1]。'),
          mocked('limited', 'litellm.RateLimitError'),
          mocked('long', 'litellm.ContextWindowExceededError'),
          mocked('broken', 'litellm.InternalServerError'),
        ];
        writeFileSync(
          config,
          `model_list:\n${models.join('')}general_settings: {master_key: ${masterKey}}\nlitellm_settings: {num_retries: 0}\nrouter_settings: {num_retries: 0, disable_cooldowns: true}\n`,
        );
        return ['--config', config, '--host', '127.0.0.1', '--port', String(port), '--telemetry', 'False'];
      },
      env: { LITELLM_LOCAL_MODEL_COST_MAP: 'True' },
      isReady: answers('/health/liveliness'),
      startTimeoutMs: 180_000,
    });
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  test('text is streamed, whole and in order, with usage', async () => {
    const events = await ask(await load('writer'));
    expect(textOf(events)).toBe('退款需要五天 [1]。');
    expect(kindsOf(events)).toEqual(['started', 'text', 'end', 'usage']);
    expect(events).toContainEqual({ kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' });
    expect(events.at(-1)).toMatchObject({ usage: { completionTokens: expect.any(Number) } });
  });

  test.each([
    ['a rate limit', 'limited', masterKey, { remedy: 'retry', kind: 'rate-limited', status: 429 }],
    ['a server that fails', 'broken', masterKey, { remedy: 'retry', kind: 'broken', status: 500 }],
    ['a wrong key', 'writer', 'sk-wrong', { remedy: 'elsewhere', kind: 'auth' }],
    ['a prompt that is too long', 'long', masterKey, { remedy: 'fix-request', kind: 'too-long' }],
    ['a model that there is not', 'nobody', masterKey, { remedy: 'elsewhere', kind: 'model-unknown' }],
  ])('an error is told as such: %s', async (_, model, key, expected) => {
    const provider = await load(model, key);
    expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject(expected);
  });
});

const sim = process.env.RAGMESH_VLLM_SIM ?? 'llm-d-inference-sim';
const noSim =
  !hasCommand(sim) &&
  skipped('vllm', 6, 'go install github.com/llm-d/llm-d-inference-sim/cmd/llm-d-inference-sim@v0.10.2');

describe.skipIf(noSim)("with llm-d's simulator of vLLM", () => {
  const start = (...more: string[]) =>
    startTestServer({
      command: sim,
      args: (port) => ['--model', 'tiny', '--port', String(port), '--mode', 'echo', '--force-dummy-tokenizer', ...more],
      isReady: answers('/health'),
    });
  const load = (server: TestServer, settings = {}) =>
    loadAdapter('vllm', { base_url: `http://127.0.0.1:${server.port}/v1`, ...settings });

  test('text is streamed, whole and in order, with a salt of the tenant and usage', async () => {
    await using server = await start();
    const events = await ask(await load(server), { tenantTag: 't-1', maxTokens: 200 });
    expect(events[0]).toEqual({ kind: 'started', model: 'tiny', warnings: [] });
    expect(textOf(events)).toBe('How long does a refund to a credit card take?');
    expect(events.filter(({ kind }) => kind === 'end')).toEqual([
      { kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' },
    ]);
    expect(events.at(-1)).toMatchObject({ kind: 'usage', usage: { completionTokens: expect.any(Number) } });
  });

  test.each([
    ['rate_limit', { remedy: 'retry', kind: 'rate-limited' }],
    ['server_error', { remedy: 'retry' }],
    ['invalid_api_key', { remedy: 'elsewhere', kind: 'auth' }],
    ['context_length', { remedy: 'fix-request', kind: 'too-long' }],
    ['model_not_found', { remedy: 'elsewhere', kind: 'model-unknown' }],
  ])('a failure is told as such: %s', async (failure, expected) => {
    await using server = await start('--failure-injection-rate', '100', '--failure-types', failure);
    const provider = await load(server, { model: 'tiny' });
    expect(await providerErrorOf(provider.generate(requestOf({ maxTokens: 8 }), never))).toMatchObject(expected);
  });
});
