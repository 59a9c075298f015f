import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InnocentInit, Measured } from './hostile.ts';

// Callers who mean no harm: each second so many cached answers and health checks, at fixed times, whether or not the ones before have
// ended. Every second request comes over a connection of its own.

const { edgePort, keys, question } = JSON.parse(process.argv[2] ?? '{}') as InnocentInit;
const asksPerSecond = 80;
const healthsPerSecond = 20;
/** A request that takes longer has failed, in milliseconds. */
const timeoutMs = 30_000;
const kept = new Agent({ keepAlive: true });

/** Resolves to the time until the whole reply was there, in milliseconds, or to what came in place of the right one. */
function timed(path: string, body: string | undefined, key: string | undefined, index: number) {
  const isKept = index % 2 === 0;
  return new Promise<number | string>((resolve) => {
    const startedAt = performance.now();
    const sent = request({
      host: '127.0.0.1',
      port: edgePort,
      path,
      method: body === undefined ? 'GET' : 'POST',
      agent: isKept ? kept : new Agent(),
      timeout: timeoutMs,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'no reply'));
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece) => {
        text += piece;
      });
      response.on('error', () => resolve('cut'));
      response.on('end', () => {
        const isRight = response.statusCode === 200 && (body === undefined || text.includes('event: done'));
        const reason = [...text.matchAll(/"(?:reason|scope|limit)": ?"(\w+)"/g)].map(([, word]) => word).join(' ');
        resolve(isRight ? performance.now() - startedAt : `${response.statusCode} ${reason || 'no end'}`);
      });
    });
    sent.end(body);
  });
}

async function everySo(perSecond: number, seconds: number, call: (index: number) => Promise<number | string>) {
  const startedAt = performance.now();
  const running: Promise<number | string>[] = [];
  for (let index = 0; index < perSecond * seconds; index++) {
    const waitMs = startedAt + (index * 1000) / perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    running.push(call(index));
  }
  return await Promise.all(running);
}

process.on('message', async ({ seconds }: { seconds: number }) => {
  const body = JSON.stringify({ query: question });
  const [asks, healths] = await Promise.all([
    everySo(asksPerSecond, seconds, (index) => timed('/v1/chat/stream', body, keys[index % keys.length], index)),
    everySo(healthsPerSecond, seconds, (index) => timed('/healthz', undefined, undefined, index)),
  ]);
  const sorted = (replies: (number | string)[]) =>
    replies.filter((reply) => typeof reply === 'number').sort((a, b) => a - b);
  const failures = [...asks, ...healths].filter((reply) => typeof reply === 'string');
  const measured: Measured = { askMs: sorted(asks), healthMs: sorted(healths), failures };
  process.send?.(measured);
});
