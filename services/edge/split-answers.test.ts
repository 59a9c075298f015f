import { expect, test } from 'vitest';
import { type FrameCounter, startFrameCounter } from '#kit/testing-frames.ts';
import { startEdgeMesh } from './stand-ins.ts';

test('5,000 answers between split processes reset no stream, and none fails', async () => {
  let counter: FrameCounter | undefined;
  const edge = await startEdgeMesh({
    apart: true,
    async through(port) {
      counter = await startFrameCounter(port);
      return counter.port;
    },
  });
  const ask = async () => {
    const response = await fetch(`${edge.url}/v1/chat/stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...edge.authorization },
      body: '{"query":"when?"}',
    });
    const text = await response.text();
    return response.status === 200 && text.includes('event: done') ? 'whole' : `${response.status} ${text}`;
  };
  try {
    const answers = new Map<string, number>();
    let left = 5_000;
    const caller = async () => {
      while (left-- > 0) {
        const answer = await ask();
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 32 }, caller));
    expect([...answers]).toEqual([['whole', 5_000]]);
    expect(counter?.resetCount()).toBe(0);
  } finally {
    await edge[Symbol.asyncDispose]();
    await counter?.[Symbol.asyncDispose]();
  }
}, 120_000);
