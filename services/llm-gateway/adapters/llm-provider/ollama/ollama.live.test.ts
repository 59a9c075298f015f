import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  MessageRole,
  MessageSchema,
  Outcome,
  ResponseFormatSchema,
  ToolSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { hasCommand, skipped, startTestServer, type TestServer } from '#kit/testing/server.ts';
import { requestOf } from '../../../suites/llm-provider.suite.ts';
import { writeTinyModel } from '../../../testing/llama.ts';
import { createWith, eventsOf, failureOf } from '../../../testing/wire.ts';
import { adapter } from './index.ts';

// Ollama itself, with a tiny model of random weights.

const ollama = process.env.RAGMESH_OLLAMA ?? 'ollama';
const noOllama = !hasCommand(ollama) && skipped('ollama', 9, 'go install github.com/ollama/ollama, or ollama.com');

describe.skipIf(noOllama)('with Ollama', () => {
  let server: TestServer;
  const provider = (settings = {}) =>
    createWith(adapter, { base_url: `http://127.0.0.1:${server.port}`, model: 'tiny', ...settings });

  beforeAll(async () => {
    server = await startTestServer({
      command: 'env',
      args: (port, folder) => [`OLLAMA_HOST=127.0.0.1:${port}`, `HOME=${folder}`, ollama, 'serve'],
      isReady: async (port) => (await fetch(`http://127.0.0.1:${port}/api/version`)).ok,
    });
    const file = join(server.folder, 'tiny.gguf');
    writeTinyModel(file);
    const bytes = readFileSync(file);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const post = async (path: string, body: BodyInit) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: 'POST', body });
      expect([response.status, await response.text()]).toEqual([expect.toBeOneOf([200, 201]), expect.any(String)]);
    };
    await post(`/api/blobs/${digest}`, bytes);
    await post('/api/create', JSON.stringify({ model: 'tiny', files: { 'tiny.gguf': digest }, stream: false }));
  });
  afterAll(async () => {
    if (server === undefined) return;
    // What runs the model is a process of its own, which would outlive a server that is killed.
    const body = JSON.stringify({ model: 'tiny', keep_alive: 0 });
    await fetch(`http://127.0.0.1:${server.port}/api/generate`, { method: 'POST', body });
    await server[Symbol.asyncDispose]();
  });

  test('text is streamed up to the limit, and tokens are counted', async () => {
    const events = await eventsOf(provider({ num_ctx: 1024, keep_alive: '5m' }), { maxTokens: 8, temperature: 0 });
    expect(events[0]).toEqual({ kind: 'started', model: 'tiny', warnings: [] });
    expect(events.some(({ kind }) => kind === 'text')).toBe(true);
    expect(events.at(-2)).toMatchObject({ usage: { promptTokens: expect.any(Number), completionTokens: 8 } });
    expect(events.at(-1)).toEqual({ kind: 'end', outcome: Outcome.LENGTH, reason: 'length' });
  });

  test('a repeated prompt is counted again, although it is cached, or has no count', async () => {
    const counts = [];
    for (let time = 0; time < 2; time++) {
      const usage = (await eventsOf(provider(), { maxTokens: 2 })).find(({ kind }) => kind === 'usage');
      counts.push(usage?.kind === 'usage' ? usage.usage.promptTokens : 0);
    }
    expect(counts.every((count) => count === undefined || count > 1)).toBe(true);
  });

  test('the same seed gives the same text', async () => {
    const request = { maxTokens: 12, temperature: 1, seed: 7n };
    const texts = async () => (await eventsOf(provider(), request)).filter(({ kind }) => kind === 'text');
    expect(await texts()).toEqual(await texts());
  });

  test('a JSON Schema is kept to', async () => {
    const schemaJson = '{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}';
    const responseFormat = create(ResponseFormatSchema, {
      form: { case: 'jsonSchema', value: { name: 'x', schemaJson } },
    });
    const events = await eventsOf(provider(), { maxTokens: 64, responseFormat });
    const text = events.map((event) => (event.kind === 'text' ? event.text : '')).join('');
    expect(text.trim()).toMatch(/^\{\s*"ok"/);
  });

  test('the first model of the server is found', async () => {
    expect((await eventsOf(provider({ model: '' }), { maxTokens: 2 }))[0]).toMatchObject({ model: 'tiny:latest' });
  });

  test.each([
    ['a model that it does not have', { model: 'nine' }, {}, { remedy: 'elsewhere', kind: 'model-unknown' }],
    [
      'tools for a model without',
      {},
      { tools: [create(ToolSchema, { name: 'f', parametersJson: '{"type":"object","properties":{}}' })] },
      { remedy: 'elsewhere' },
    ],
    [
      'a prompt that is too long',
      { num_ctx: 256 },
      { messages: [create(MessageSchema, { role: MessageRole.USER, text: 'word '.repeat(3000) })] },
      { remedy: 'fix-request', kind: 'too-long' },
    ],
  ])('%s is an error that the gateway knows', async (_, settings, request, wanted) => {
    expect((await failureOf(provider(settings), request)).error).toMatchObject(wanted);
  });

  test('one that is given up leaves the server free for the next', async () => {
    for (let count = 0; count < 4; count++) {
      const controller = new AbortController();
      const consume = async () => {
        for await (const { kind } of provider().generate(requestOf({ maxTokens: 900 }), controller.signal)) {
          if (kind === 'text') controller.abort(new Error('gone'));
        }
      };
      await expect(consume()).rejects.toThrow('gone');
    }
    expect((await eventsOf(provider(), { maxTokens: 4 })).at(-1)).toMatchObject({ kind: 'end' });
  });
});
