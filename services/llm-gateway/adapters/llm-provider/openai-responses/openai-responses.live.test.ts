import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { TestServer } from '#kit/testing/server.ts';
import { requestOf } from '../../../suites/llm-provider.suite.ts';
import { lacksLlama, startLlama } from '../../../testing/llama.ts';
import { createWith, eventsOf, failureOf } from '../../../testing/wire.ts';
import { adapter } from './index.ts';

// The Responses API of llama.cpp's server.

const llama = process.env.RAGMESH_LLAMA_SERVER ?? 'llama-server';

describe.skipIf(lacksLlama(llama, 4))('with the Responses face of llama-server', () => {
  let server: TestServer;
  const provider = (settings = {}) =>
    createWith(adapter, {
      base_url: `http://127.0.0.1:${server.port}/v1`,
      api_key: 'sk-llama',
      model: 'tiny',
      ...settings,
    });
  beforeAll(async () => {
    server = await startLlama(llama, 'sk-llama');
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  test('text is streamed up to the limit, tokens are counted, and what was cut is not complete', async () => {
    const events = await eventsOf(provider(), { maxTokens: 16, temperature: 0 });
    expect(events[0]).toEqual({ kind: 'started', model: 'tiny', warnings: [] });
    expect(events.filter(({ kind }) => kind === 'text').length).toBeGreaterThan(1);
    expect(events.at(-2)).toMatchObject({ usage: { promptTokens: expect.any(Number), completionTokens: 16 } });
    expect(events.at(-1)).toMatchObject({ kind: 'end', outcome: Outcome.LENGTH });
  });

  test('a wrong key is an error of the key', async () => {
    const { error } = await failureOf(provider({ api_key: 'sk-wrong' }));
    expect(error).toMatchObject({ remedy: 'elsewhere', kind: 'auth', status: 401 });
  });

  test('a prompt that is too long is too long', async () => {
    const [message] = requestOf().messages;
    const messages = [{ ...message, text: 'word '.repeat(4000) }] as ReturnType<typeof requestOf>['messages'];
    expect((await failureOf(provider(), { messages })).error).toMatchObject({
      remedy: 'fix-request',
      kind: 'too-long',
    });
  });

  test('one that is given up leaves the server free for the next', async () => {
    for (let count = 0; count < 6; count++) {
      const controller = new AbortController();
      const consume = async () => {
        for await (const { kind } of provider().generate(requestOf({ maxTokens: 900 }), controller.signal)) {
          if (kind === 'text') controller.abort(new Error('gone'));
        }
      };
      await expect(consume()).rejects.toThrow('gone');
    }
    expect((await eventsOf(provider(), { maxTokens: 16 })).at(-1)).toMatchObject({ kind: 'end' });
  });
});
