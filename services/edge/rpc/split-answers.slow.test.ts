import { Agent, request } from 'node:http';
import { expect, test } from 'vitest';
import { type FrameCounter, startFrameCounter } from '#kit/testing/frames.ts';
import { startEdgeMesh } from '../testing/stand-ins.ts';

test('5,000 answers between split processes reset no stream, and none fails', async () => {
  let counter: FrameCounter | undefined;
  const edge = await startEdgeMesh({
    apart: true,
    async *answer() {
      yield { case: 'textDelta', value: { text: 'Within 30 days.' } };
      yield { case: 'done', value: { answerId: 'a1' } };
    },
    async through(port) {
      counter = await startFrameCounter(port);
      return counter.port;
    },
  });
  const agent = new Agent({ keepAlive: true });
  const headers = { 'content-type': 'application/json', ...edge.authorization };
  const ask = () =>
    new Promise<string>((resolve, reject) => {
      const sent = request(`${edge.url}/v1/chat/stream`, { method: 'POST', agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => {
          const isWhole = response.statusCode === 200 && text.includes('event: done');
          resolve(isWhole ? 'whole' : `${response.statusCode} ${text}`);
        });
      });
      sent.on('error', reject);
      sent.end('{"query":"when?"}');
    });
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
    agent.destroy();
    await edge[Symbol.asyncDispose]();
    await counter?.[Symbol.asyncDispose]();
  }
}, 120_000);
