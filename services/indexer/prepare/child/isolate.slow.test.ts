import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  createHostile,
  failureOf,
  hostileFolder,
  identify,
  isAlive,
  runOrder,
  textsOf,
  usualLimits,
} from '../../testing/hostile.ts';

const file = { path: 'a.hostile', mediaType: '', sizeBytes: 9 };

test.each(['hoard', 'hoard-buffers'] as const)(
  '%s: memory has a limit, and that of the caller stays',
  async (order) => {
    const parser = createHostile({ memoryBytes: 256 << 20 });
    await runOrder(parser, 'read');
    const before = process.memoryUsage.rss();
    expect(await failureOf(runOrder(parser, order))).toMatchObject({
      reason: ErrorReason.TOO_LARGE,
      message: expect.stringContaining('needs more than 256 MiB'),
    });
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 << 20);
    expect(textsOf(await runOrder(parser, 'read', 'next'))).toEqual(['next']);
  },
);

test('a parser that shows progress without end is killed', async () => {
  const slow = createHostile({ totalMs: 1500 });
  const message = 'it takes more than 1.5 s to read: split the file, or raise indexer.parse_total_ms';
  expect(await failureOf(runOrder(slow, 'slow'))).toMatchObject({ message });
});

test('a caller that leaves early, or whose bytes fail, ends the process', async () => {
  const parser = createHostile();
  const { pid } = await identify(parser);
  async function* bytes() {
    yield Buffer.from('spin\none\ntwo');
  }
  for await (const parsed of parser.parse(file, bytes())) {
    expect(parsed.kind).toBe('document');
    break;
  }
  await expect.poll(() => isAlive(pid)).toBe(false);
  const other = await identify(parser);
  async function* failing(): AsyncIterable<Uint8Array> {
    yield Buffer.from('re');
    throw new TypeError('the store is gone');
  }
  const read = async () => {
    for await (const parsed of parser.parse(file, failing())) expect(parsed).toBeUndefined();
  };
  expect(await failureOf(read())).toMatchObject({ message: 'the store is gone' });
  await expect.poll(() => isAlive(other.pid)).toBe(false);
});

test.each(['closed', 'terminated'])('a process that is stuck ends when its thread is %s', async (how) => {
  const program = `
    import { parentPort } from 'node:worker_threads';
    import { createIsolation } from ${JSON.stringify(new URL('./isolate.ts', import.meta.url).href)};
    const limits = ${JSON.stringify(usualLimits)};
    const isolation = createIsolation(limits, new URL(${JSON.stringify(hostileFolder.href)}));
    const parser = isolation.isolate('hostile', { mediaTypes: [], endings: [], isList: true });
    const run = async function* (order) {
      yield* parser.parse(${JSON.stringify(file)}, (async function* () { yield Buffer.from(order); })());
    };
    parentPort.once('message', async () => parentPort.postMessage(await isolation.close()));
    for await (const { document } of run('identify')) parentPort.postMessage(JSON.parse(document.text).pid);
    // It ends unread when the thread is closed.
    try { for await (const _ of run('spin')); } catch {}`;
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), { execArgv: [] });
  const [pid] = (await once(thread, 'message')) as [number];
  // The process has the order when it works.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(isAlive(pid)).toBe(true);
  if (how === 'closed') {
    thread.postMessage('close');
    await once(thread, 'message');
  }
  await thread.terminate();
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
});

test('a file that blocks the process fails', async () => {
  // The start of the process counts as well.
  const stuck = createHostile({ stallMs: 8000 });
  expect(await failureOf(runOrder(stuck, 'spin'))).toMatchObject({
    reason: ErrorReason.TOO_LARGE,
    message: 'a part of it takes more than 8 s to read: split the file, or raise indexer.parse_stall_ms',
  });
}, 60_000);
