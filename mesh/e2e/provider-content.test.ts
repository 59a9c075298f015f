import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWholeMesh, type WholeMesh } from './testing/whole-mesh.ts';

// What providers send beside the usual, as OpenAI's client gets it from the whole mesh.

const delta = (value: object, reason: string | null = null) =>
  JSON.stringify({ choices: [{ index: 0, delta: value, finish_reason: reason }] });
const call = (name: string, args: string) => delta({ tool_calls: [{ index: 0, function: { name, arguments: args } }] });

/** Chunks by the last message of the user. */
const scripts: Record<string, string[]> = {
  calls: [call('get_a', '{"x":1}'), call('get_b', '{"y":2}'), delta({}, 'tool_calls')],
  thought: [
    delta({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }] }),
    delta({ content: [{ type: 'text', text: 'Hello' }] }),
    delta({ content: ' world' }, 'stop'),
  ],
  emoji: [
    '{"choices":[{"delta":{"content":"A\\ud83d"}}]}',
    '{"choices":[{"delta":{"content":"\\ude00B"}}]}',
    delta({}, 'stop'),
  ],
  image: [delta({ content: [{ type: 'image_url' }] }), delta({}, 'stop')],
  counts: [
    delta({ content: 'ok' }, 'stop'),
    '{"choices":[],"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":3}}',
  ],
};

interface Asked {
  messages: { role: string; content: string; tool_calls?: { id: string }[]; tool_call_id?: string }[];
}

let mesh: WholeMesh;
let client: OpenAI;
const asked: Asked[] = [];
const provider = createServer(async (request, response: ServerResponse) => {
  let body = '';
  for await (const part of request) body += part;
  const read = JSON.parse(body) as Asked;
  asked.push(read);
  const last = read.messages.at(-1);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunks = last?.role === 'tool' ? [delta({ content: 'done' }, 'stop')] : (scripts[last?.content ?? ''] ?? []);
  for (const chunk of chunks) {
    response.write(`data: ${chunk}\n\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  response.end('data: [DONE]\n\n');
});
beforeAll(async () => {
  await new Promise<void>((ready) => provider.listen(0, '127.0.0.1', ready));
  const base_url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/v1`;
  const models = [{ name: 'odd', adapter: 'openai-compatible', settings: { base_url, model: 'odd' } }];
  const prices = { version: '1', currency: 'USD', prices: [{ model: 'odd', prompt: 3, completion: 15 }] };
  mesh = await startWholeMesh({ sample: false, config: { llmGateway: { models, prices } } });
  client = new OpenAI({ apiKey: mesh.devKey, baseURL: `${mesh.edgeUrl}/v1`, maxRetries: 2 });
});
afterAll(async () => {
  await mesh.close();
  provider.closeAllConnections();
  provider.close();
});

const user = (content: string) => ({ role: 'user' as const, content });
const ask = (content: string) => client.chat.completions.create({ model: 'odd', messages: [user(content)] });
const streamOf = (content: string) => client.chat.completions.stream({ model: 'odd', messages: [user(content)] });

describe("OpenAI's client", () => {
  test('gets calls without ids as calls of their own, and may send them back', async () => {
    for (const completion of [await ask('calls'), await streamOf('calls').finalChatCompletion()]) {
      const message = completion.choices[0]?.message;
      const calls = (message?.tool_calls ?? []).flatMap((one) => (one.type === 'function' ? [one] : []));
      expect(calls.map(({ function: { name, arguments: args } }) => [name, args])).toEqual([
        ['get_a', '{"x":1}'],
        ['get_b', '{"y":2}'],
      ]);
      expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
      if (message === undefined) throw new Error('there is no message');
      const results = calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: 'ok' }));
      const next = await client.chat.completions.create({
        model: 'odd',
        messages: [user('calls'), message, ...results],
      });
      expect(next.choices[0]?.message.content).toBe('done');
      const sent = asked.at(-1)?.messages ?? [];
      expect(sent[1]?.tool_calls?.map(({ id }) => id)).toEqual(calls.map(({ id }) => id));
      expect(sent.slice(2).map(({ tool_call_id: id }) => id)).toEqual(calls.map(({ id }) => id));
    }
  });

  test('gets thinking parts as reasoning, and text parts as text', async () => {
    for (const completion of [await ask('thought'), await streamOf('thought').finalChatCompletion()]) {
      expect(completion.choices[0]?.message).toMatchObject({ content: 'Hello world', reasoning_content: 'hm' });
    }
  });

  test('gets a character whole that the provider cuts', async () => {
    expect((await ask('emoji')).choices[0]?.message.content).toBe('A😀B');
    const parts: string[] = [];
    for await (const { choices } of streamOf('emoji')) parts.push(choices[0]?.delta.content ?? '');
    expect(parts.join('')).toBe('A😀B');
    expect(parts.every((part) => part.isWellFormed())).toBe(true);
  });

  test('gets an error for content that is not text, and the provider is asked once', async () => {
    const count = asked.length;
    await expect(ask('image')).rejects.toMatchObject({ status: 503 });
    expect(asked).toHaveLength(count + 1);
  });

  test('gets an estimate in the place of an absurd count', async () => {
    const completion = await ask('counts');
    expect(completion.usage?.prompt_tokens).toBeLessThan(100);
    expect(completion).toMatchObject({ ragmesh: { usage_provenance: 'estimated' } });
  });
});
