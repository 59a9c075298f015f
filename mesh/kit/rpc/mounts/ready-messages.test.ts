import type { CallOptions } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EchoService, type ServerStreamResponse } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { collect } from '../../base/streams.ts';
import { defineService } from '../../host/define-service.ts';
import { type FaceClients, faces, mountEveryFace } from '../../testing/faces.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';
import { takeReady } from '../messages/ready-messages.ts';

// A handler that gives messages as lists, alone, and in empty lists: "a", "bc", "", "def" are four of them.
let ended = 0;
const lists = defineService({
  name: 'echo',
  contracts: [EchoService],
  config: () => ({}),
  needs: {},
  async create() {
    return {
      impl: {
        unary: ({ text }) => ({ text }),
        async *serverStream({ text }) {
          try {
            for (const [index, part] of text.split('|').entries()) {
              const list = [...part].map((letter) => ({ text: letter }));
              if (part === '!') throw new Error('the handler fails');
              yield index % 2 === 0 && list[0] !== undefined && list.length === 1 ? list[0] : list;
            }
          } finally {
            ended++;
          }
        },
        clientStream: async () => ({}),
        async *bidiStream() {},
      },
      close: async () => {},
    };
  },
});

let mesh: TestMesh;
let options: CallOptions;
let clients: FaceClients;
beforeAll(async () => {
  mesh = await startTestMesh([lists]);
  options = await mesh.as();
  clients = await mountEveryFace(mesh);
});
afterAll(async () => {
  await clients[Symbol.asyncDispose]();
  await mesh.close();
});

const textOf = (messages: readonly ServerStreamResponse[]) => messages.map(({ text }) => text).join('');

describe.each(faces)('over %s', (face) => {
  test('messages that a handler gives as lists come one by one, in their order', async () => {
    const client = clients.client(EchoService, face);
    const sent = `a|bc||def|${'x'.repeat(500)}||`;
    expect(textOf(await collect(client.serverStream({ text: sent }, options)))).toBe(sent.replaceAll('|', ''));
  });

  test('those before a failure are delivered before it', async () => {
    const client = clients.client(EchoService, face);
    const seen: ServerStreamResponse[] = [];
    const read = async () => {
      for await (const message of client.serverStream({ text: 'abc|d|!' }, options)) seen.push(message);
    };
    await expect(read()).rejects.toThrow('internal');
    expect(textOf(seen)).toBe('abcd');
  });

  test('a consumer that leaves inside a list ends the handler', async () => {
    const client = clients.client(EchoService, face);
    const before = ended;
    for await (const _ of client.serverStream({ text: `abc|${'x|'.repeat(1000)}` }, options)) break;
    await expect.poll(() => ended, { interval: 5 }).toBe(before + 1);
  });
});

test('a caller in the same process may take what is ready as a list', async () => {
  const stream = mesh.client(EchoService).serverStream({ text: 'abc|d|ef' }, options)[Symbol.asyncIterator]();
  const seen: string[] = [];
  for (let result = await stream.next(); result.done !== true; result = await stream.next()) {
    seen.push(textOf([result.value, ...takeReady(stream)]));
  }
  expect(seen).toEqual(['abc', 'd', 'ef']);
});

test('overlapping reads get the messages in their order', async () => {
  const stream = mesh.client(EchoService).serverStream({ text: 'abc||d|ef' }, options)[Symbol.asyncIterator]();
  const results = await Promise.all(Array.from({ length: 8 }, () => stream.next()));
  expect(results.map((result) => (result.done === true ? '.' : result.value.text)).join('')).toBe('abcdef..');
});
