import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createWorkerRpc, WorkerError, type WorkerOptions, type WorkerRpc } from './worker-rpc.ts';

/** What the thread does with a request. */
type Request =
  | { kind: 'add'; numbers: number[] }
  | { kind: 'fill'; values: Float32Array<ArrayBuffer> }
  | { kind: 'throw' }
  | { kind: 'exit' }
  | { kind: 'thread' }
  | { kind: 'wait' };

let folder: string;
let file: URL;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-worker-'));
  const program = join(folder, 'worker.ts');
  writeFileSync(
    program,
    `import { threadId } from 'node:worker_threads';
    import { serveCalls } from ${JSON.stringify(new URL('./worker-rpc.ts', import.meta.url).href)};
    serveCalls((request) => {
      switch (request.kind) {
        case 'add': return request.numbers.reduce((sum, number) => sum + number, 0);
        case 'fill': return request.values.fill(7);
        case 'throw': throw Object.assign(new RangeError('too far'), { errcode: 11 });
        case 'exit': process.exit(3);
        case 'thread': return threadId;
        default: return new Promise(() => {});
      }
    }, (reply) => (reply instanceof Float32Array ? [reply.buffer] : []));`,
  );
  file = pathToFileURL(program);
});
afterAll(() => rmSync(folder, { recursive: true }));

const create = <Reply>(options: Partial<WorkerOptions> = {}): WorkerRpc<Request, Reply> => {
  const rpc = createWorkerRpc<Request, Reply>({ file, name: 'sums', maxPending: 10, ...options });
  onTestFinished(() => rpc.close());
  return rpc;
};
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: WorkerError) => error.failure,
  );

test('calls are answered, each with its own result', async () => {
  const rpc = create<number>();
  const sums = [1, 2, 3].map((number) => rpc.call({ kind: 'add', numbers: [number, 10] }));
  expect(rpc.pendingCount).toBe(3);
  expect(await Promise.all(sums)).toEqual([11, 12, 13]);
  expect(rpc.pendingCount).toBe(0);
});

test('buffers move in both directions', async () => {
  const rpc = create<Float32Array>();
  const values = new Float32Array(1000);
  const reply = await rpc.call({ kind: 'fill', values }, [values.buffer]);
  expect(values.byteLength).toBe(0);
  expect(reply).toEqual(new Float32Array(1000).fill(7));
});

test('an error of the handler rejects its call with its message and codes, and the thread continues', async () => {
  const rpc = create<number>();
  const error = await rpc.call({ kind: 'throw' }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(WorkerError);
  expect(error).toMatchObject({ failure: 'failed', message: 'too far', fields: { name: 'RangeError', errcode: 11 } });
  expect(await rpc.call({ kind: 'add', numbers: [1] })).toBe(1);
});

test('a request that cannot be sent rejects, and nothing stays pending', async () => {
  const rpc = create<number>();
  await expect(rpc.call({ kind: 'add', numbers: [], extra: () => {} } as never)).rejects.toThrow('could not be cloned');
  expect(rpc.pendingCount).toBe(0);
});

test('a thread that ends rejects what is pending; with restarts the next call gets a new one', async () => {
  const onCrash = vi.fn();
  const rpc = create<number>({ restarts: true, onCrash });
  const waiting = rpc.call({ kind: 'wait' });
  const failures = Promise.all([failureOf(waiting), failureOf(rpc.call({ kind: 'exit' }))]);
  expect(await failures).toEqual(['crashed', 'crashed']);
  expect(onCrash).toHaveBeenCalledOnce();
  expect(await rpc.call({ kind: 'add', numbers: [4] })).toBe(4);
});

test('without restarts every later call fails as the first one did', async () => {
  const rpc = create<number>();
  expect(await failureOf(rpc.call({ kind: 'exit' }))).toBe('crashed');
  expect(await failureOf(rpc.call({ kind: 'add', numbers: [1] }))).toBe('crashed');
});

test('more calls than allowed are refused', async () => {
  const rpc = create<number>({ maxPending: 2 });
  const waiting = [rpc.call({ kind: 'wait' }), rpc.call({ kind: 'wait' })].map(failureOf);
  expect(await failureOf(rpc.call({ kind: 'wait' }))).toBe('full');
  await rpc.close();
  expect(await Promise.all(waiting)).toEqual(['closed', 'closed']);
});

test('close rejects what is pending and later calls, settles twice, and is no crash', async () => {
  const onCrash = vi.fn();
  const rpc = create<number>({ onCrash });
  const waiting = failureOf(rpc.call({ kind: 'wait' }));
  await Promise.all([rpc.close(), rpc.close()]);
  expect(await waiting).toBe('closed');
  expect(await failureOf(rpc.call({ kind: 'add', numbers: [1] }))).toBe('closed');
  expect(onCrash).not.toHaveBeenCalled();
  await create().close();
});

test('an idle thread ends, and the next call starts a new one', async () => {
  const onCrash = vi.fn();
  const rpc = create<number>({ idleMs: 1, onCrash });
  const first = await rpc.call({ kind: 'thread' });
  await expect.poll(() => rpc.isRunning).toBe(false);
  expect(await rpc.call({ kind: 'thread' })).not.toBe(first);
  expect(onCrash).not.toHaveBeenCalled();
});

test('a thread with a call is not idle', async () => {
  const rpc = create<number>({ idleMs: 1 });
  await rpc.call({ kind: 'add', numbers: [1] });
  const waiting = failureOf(rpc.call({ kind: 'wait' }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(rpc.isRunning).toBe(true);
  await rpc.close();
  expect(await waiting).toBe('closed');
});

test('callers get the errors that the owner makes of failures', async () => {
  const rpc = create<number>({ toError: ({ failure }) => new TypeError(`made of ${failure}`) });
  await expect(rpc.call({ kind: 'exit' })).rejects.toThrow(new TypeError('made of crashed'));
});
