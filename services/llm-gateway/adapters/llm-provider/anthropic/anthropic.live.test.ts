import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MessageRole, MessageSchema, Outcome, ToolSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { hasCommand, skipped, startTestServer, type TestServer } from '#kit/testing/server.ts';
import { requestOf } from '../../../suites/llm-provider.suite.ts';
import { lacksLlama, startLlama } from '../../../testing/llama.ts';
import { createWith, eventsOf, failureOf } from '../../../testing/wire.ts';
import { adapter } from './index.ts';

// Servers that speak Anthropic's Messages and of other projects: LiteLLM in front of models that it plays itself (it answers in
// one piece), and llama.cpp's server, which streams.

const llama = process.env.RAGMESH_LLAMA_SERVER ?? 'llama-server';
const litellm = process.env.RAGMESH_LITELLM ?? 'litellm';
const noLitellm = !hasCommand(litellm) && skipped('litellm', 7, "pip install 'litellm[proxy]'");

const config = `
model_list:
  - model_name: claude-haiku-5-5
    litellm_params: {model: anthropic/claude-haiku-5-5, api_key: none, mock_response: "五到十个工作日 [1]."}
  - model_name: busy
    litellm_params: {model: anthropic/claude-haiku-5-5, api_key: none, mock_response: litellm.RateLimitError}
  - model_name: gone
    litellm_params: {model: anthropic/claude-haiku-5-5, api_key: none, mock_response: litellm.InternalServerError}
litellm_settings: {num_retries: 0}
router_settings: {num_retries: 0, disable_cooldowns: true}
general_settings: {master_key: sk-litellm}
`;

describe.skipIf(noLitellm)("with LiteLLM's Anthropic face", () => {
  let server: TestServer;
  const provider = (settings = {}) =>
    createWith(adapter, {
      base_url: `http://127.0.0.1:${server.port}`,
      api_key: 'sk-litellm',
      model: 'claude-haiku-5-5',
      ...settings,
    });
  beforeAll(async () => {
    server = await startTestServer({
      command: litellm,
      args: (port, folder) => {
        const file = join(folder, 'config.yaml');
        writeFileSync(file, config);
        return ['--config', file, '--host', '127.0.0.1', '--port', String(port), '--telemetry', 'False'];
      },
      isReady: async (port) => (await fetch(`http://127.0.0.1:${port}/health/liveliness`)).ok,
      startTimeoutMs: 120_000,
    });
  }, 130_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  test('an answer comes whole, with its end and its counts', async () => {
    const events = await eventsOf(provider());
    const text = events.map((event) => (event.kind === 'text' ? event.text : '')).join('');
    expect(events[0]).toMatchObject({ kind: 'started' });
    expect(text).toBe('五到十个工作日 [1].');
    expect(events.at(-1)).toMatchObject({ kind: 'end', outcome: Outcome.COMPLETE, reason: 'end_turn' });
    expect(events.findLast(({ kind }) => kind === 'usage')).toMatchObject({
      usage: { promptTokens: expect.any(Number), completionTokens: expect.any(Number) },
    });
  });

  test('it takes tools, images, instructions, marks and all', async () => {
    const events = await eventsOf(provider({ prompt_cache: '5m', effort: 'none' }), {
      messages: [
        create(MessageSchema, { role: MessageRole.SYSTEM, text: 'Be kind.' }),
        create(MessageSchema, {
          role: MessageRole.USER,
          text: 'What is this?',
          images: [{ source: { case: 'data', value: Buffer.from(onePixelPng, 'base64') }, mediaType: 'image/png' }],
        }),
      ],
      tools: [create(ToolSchema, { name: 'order', parametersJson: '{"type":"object","properties":{}}' })],
      maxTokens: 64,
      tenantTag: 't-1',
    });
    expect(events.at(-1)).toMatchObject({ outcome: Outcome.COMPLETE });
  });

  test('its key may come in either header', async () => {
    expect((await eventsOf(provider({ key_header: 'x-api-key' }))).at(-1)).toMatchObject({ kind: 'end' });
  });

  test.each([
    ['a wrong key', { api_key: 'sk-wrong' }, { remedy: 'elsewhere', kind: 'auth' }],
    ['a model that it does not have', { model: 'claude-nine' }, { remedy: 'elsewhere' }],
    ['a rate limit', { model: 'busy' }, { remedy: 'retry', kind: 'rate-limited' }],
    ['a failure', { model: 'gone' }, { remedy: 'retry' }],
  ])('%s is an error that the gateway knows', async (_, settings, wanted) => {
    const { error } = await failureOf(provider(settings), requestOf());
    expect(error).toMatchObject(wanted);
  });
});

describe.skipIf(lacksLlama(llama, 3))('with the Messages face of llama-server', () => {
  let server: TestServer;
  const provider = (settings = {}) =>
    createWith(adapter, {
      base_url: `http://127.0.0.1:${server.port}`,
      api_key: 'sk-llama',
      model: 'tiny',
      ...settings,
    });
  beforeAll(async () => {
    server = await startLlama(llama, 'sk-llama');
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  test('text is streamed up to the limit, and tokens are counted', async () => {
    const events = await eventsOf(provider({ sampling: true }), { maxTokens: 8, temperature: 0 });
    expect(events[0]).toEqual({ kind: 'started', model: 'tiny', warnings: [] });
    expect(events.filter(({ kind }) => kind === 'text').length).toBeGreaterThan(1);
    expect(events.at(-2)).toMatchObject({
      usage: { promptTokens: expect.any(Number), completionTokens: 8, cachedPromptTokens: expect.any(Number) },
    });
    expect(events.at(-1)).toEqual({ kind: 'end', outcome: Outcome.LENGTH, reason: 'max_tokens' });
  });

  test('a wrong key is an error of the key', async () => {
    const { error } = await failureOf(provider({ api_key: 'sk-wrong' }));
    expect(error).toMatchObject({ remedy: 'elsewhere', kind: 'auth', status: 401 });
  });

  test('a prompt that is too long is too long', async () => {
    const messages = [create(MessageSchema, { role: MessageRole.USER, text: 'word '.repeat(4000) })];
    expect((await failureOf(provider(), { messages })).error).toMatchObject({
      remedy: 'fix-request',
      kind: 'too-long',
    });
  });
});

const onePixelPng = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
