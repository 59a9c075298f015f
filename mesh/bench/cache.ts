import { type ChildProcess, fork } from 'node:child_process';
import type { CallOptions, Client } from '@connectrpc/connect';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { AnswerOutcome, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { createClient } from '#kit/rpc/client.ts';
import { actAs } from '#kit/rpc/context.ts';
import { createGrpcTransport } from '#kit/rpc/grpc/client.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { services } from '../run.ts';
import type { CacheOrder } from './cache-process.ts';
import { callsPerSecond, latencies, median, percentile, type Row } from './measure.ts';

// Look-ups that hit, layer by layer, over gRPC and in process; and what the layer in Redis costs beside a bare GET of as many bytes.

const rounds = 5;
const callsPerRound = 1500;
/** Calls before the first that counts, of each kind: a server that has run for a second is the one that matters. */
const warmUpCalls = 6000;
const callers = 64;
const seconds = 1;
const ample = 64 * 1024 * 1024;
/** Less than any answer takes: every look-up goes to the layer below. */
const none = 1;
const question = 'How long may I return what I bought?';
const scope = { corpora: [{ corpus: 'help', revision: 'r1' }], promptVersion: 'p1', model: 'm' };

/** Rows of the answer cache. */
export async function benchCache(): Promise<Row[]> {
  const rows = [...(await memoryRows()), await embeddedRow()];
  if (hasRedis) rows.push(...(await redisRows()));
  else process.stderr.write(`no rows of Redis: there is no redis-server (${redisAdvice})\n`);
  return rows;
}

async function memoryRows(): Promise<Row[]> {
  await using remote = await startCache({ memoryBytes: ample });
  await using bare = await startEcho();
  await using mesh = await startMesh(ample);
  const local = { client: mesh.client(CacheService), options: await mesh.as() };
  for (const face of [remote, local]) {
    await fillCache(face);
    await latencies(4, warmUpCalls, () => timed(() => hit(face, CacheLayer.MEMORY)));
  }
  await latencies(4, warmUpCalls, () => timed(bare.call));
  const times = { grpc: [] as number[], local: [] as number[], bare: [] as number[] };
  const rates = { grpc: [] as number[], local: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    times.bare.push(await p50(bare.call));
    times.grpc.push(await p50(() => hit(remote, CacheLayer.MEMORY)));
    times.local.push(await p50(() => hit(local, CacheLayer.MEMORY)));
    rates.grpc.push(await callsPerSecond(callers, seconds, () => hit(remote, CacheLayer.MEMORY)));
    rates.local.push(await callsPerSecond(callers, seconds, () => hit(local, CacheLayer.MEMORY)));
  }
  return [
    {
      name: 'cache hit in memory, over gRPC, p50 ms',
      measured: `1 caller; a bare grpc-js echo of as many bytes takes ${median(times.bare).toFixed(2)} ms; ${Math.round(median(rates.grpc))}/s at ${callers} callers`,
      value: median(times.grpc),
      sense: '≤',
      bar: 0.3,
    },
    {
      name: 'cache hit in memory, in process, p50 ms',
      measured: `1 caller; ${Math.round(median(rates.local))}/s at ${callers} callers`,
      value: median(times.local),
      sense: '≤',
      bar: 0.1,
    },
  ];
}

async function embeddedRow(): Promise<Row> {
  await using mesh = await startMesh(none);
  const face = { client: mesh.client(CacheService), options: await mesh.as() };
  await fillCache(face);
  return compared('cache hit on disk, in process, p50 ms', await p50(() => hit(face, CacheLayer.DURABLE)));
}

async function redisRows(): Promise<Row[]> {
  await using server = await startRedis();
  const redisUrl = `redis://127.0.0.1:${server.port}`;
  const layer = await measureLayer(redisUrl);
  await using remote = await startCache({ redisUrl, memoryBytes: none });
  await using mesh = await startMesh(none, redisUrl);
  const local = { client: mesh.client(CacheService), options: await mesh.as() };
  await fillCache(local);
  for (const face of [remote, local]) {
    await latencies(4, warmUpCalls, () => timed(() => hit(face, CacheLayer.DURABLE)));
  }
  const times = { grpc: [] as number[], local: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    times.grpc.push(await p50(() => hit(remote, CacheLayer.DURABLE)));
    times.local.push(await p50(() => hit(local, CacheLayer.DURABLE)));
  }
  return [
    {
      name: 'cache layer in Redis : bare ioredis GET',
      measured: `${layer.storeMs.toFixed(3)} and ${layer.bareMs.toFixed(3)} ms, ${layer.sizeBytes} bytes, p50, 1 caller`,
      value: layer.ratio,
      sense: '≤',
      bar: 1.3,
    },
    compared('cache hit in Redis, over gRPC, p50 ms', median(times.grpc)),
    compared('cache hit in Redis, in process, p50 ms', median(times.local)),
  ];
}

/** A row for comparison. */
function compared(name: string, value: number): Row {
  return { name, measured: 'no bar: for comparison', value, sense: '≤', bar: Number.POSITIVE_INFINITY };
}

async function measureLayer(redisUrl: string): Promise<LayerFigures> {
  const child = fork(new URL('../../services/cache/testing/redis-bench.ts', import.meta.url), [redisUrl]);
  try {
    return await firstMessage<LayerFigures>(child);
  } finally {
    if (child.connected) child.disconnect();
  }
}

function firstMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the process ended with ${code}`)));
  });
}

/** What the process of the layer reports. */
interface LayerFigures {
  storeMs: number;
  bareMs: number;
  ratio: number;
  sizeBytes: number;
}

interface Face {
  client: Client<typeof CacheService>;
  options: CallOptions;
}

function startMesh(memoryBytes: number, redisUrl?: string) {
  const durableStore = redisUrl && { durableStore: { adapter: 'redis', settings: { url: redisUrl } } };
  return startTestMesh(
    services.filter(({ contracts }) => contracts.includes(CacheService)),
    { config: { cache: { memoryBytes: BigInt(memoryBytes), durableTimeoutMs: 10_000, ...durableStore } } },
  );
}

async function startCache(order: CacheOrder): Promise<Face & AsyncDisposable> {
  const child: ChildProcess = fork(new URL('./cache-process.ts', import.meta.url), [JSON.stringify(order)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { port, token } = await firstMessage<{ port: number; token: string }>(child);
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}`, methods: CacheService.methods });
  return {
    client: createClient(CacheService, transport),
    options: actAs(token),
    async [Symbol.asyncDispose]() {
      transport.close();
      child.disconnect();
    },
  };
}

/** Bytes of the answer that {@link fillCache} stores, about. */
const answerBytes = 6500;

/** A bare grpc-js server in a process of its own, which says a text of an answer's length. */
async function startEcho(): Promise<{ call(): Promise<unknown> } & AsyncDisposable> {
  const child = fork(new URL('./echo-servers.ts', import.meta.url), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { bare } = await firstMessage<{ bare: number }>(child);
  const transport = createGrpcTransport({ address: `127.0.0.1:${bare}`, methods: EchoService.methods });
  const client = createClient(EchoService, transport);
  const text = 'x'.repeat(answerBytes);
  return {
    call: () => client.unary({ text }),
    async [Symbol.asyncDispose]() {
      transport.close();
      child.disconnect();
    },
  };
}

/** Stores an answer as long as most are: eight passages, and a paragraph that cites them. */
async function fillCache({ client, options }: Face): Promise<void> {
  let leaseId = '';
  for await (const { event } of client.lookup({ question, scope }, options)) {
    if (event.case === 'lease') leaseId = event.value.leaseId;
  }
  const words =
    `returns are free within seven days of delivery when the goods unused receipt is kept a refund goes back to card
    that paid parcel courier damaged photo invoice warranty battery charger order price customer`.split(/\s+/);
  let state = 7;
  const textOf = (length: number) =>
    Array.from({ length }, () => {
      state = (state * 48_271) % 2_147_483_647;
      return words[state % words.length];
    }).join(' ');
  const passages = Array.from({ length: 8 }, (_, index) => ({
    chunkId: `doc-${index}#0`,
    documentId: `doc-${index}`,
    corpus: 'help',
    title: `Document ${index}`,
    text: textOf(100),
  }));
  const [{ chunkId = '', documentId = '' } = {}] = passages;
  const events = [
    { case: 'sources', value: { passages } },
    { case: 'textDelta', value: { text: `${textOf(120)} [1]` } },
    { case: 'citation', value: { marker: 1, chunkId, documentId } },
    { case: 'usage', value: { promptTokens: 900n, completionTokens: 150n } },
    { case: 'done', value: { outcome: AnswerOutcome.ANSWERED, model: 'm', verified: true } },
  ];
  async function* parts() {
    yield { part: { case: 'start', value: { leaseId } } };
    for (const event of events) yield { part: { case: 'answer', value: { event } } };
    yield { part: { case: 'commit', value: {} } };
  }
  const { stored } = await client.fill(parts() as never, options);
  if (!stored) throw new Error('the answer was not stored');
}

async function hit({ client, options }: Face, layer: CacheLayer): Promise<void> {
  for await (const { event } of client.lookup({ question, scope }, options)) {
    if (event.case !== 'hit' || event.value.layer !== layer)
      throw new Error(`not the hit that was meant: ${event.case}`);
  }
}

/** The middle of the times of calls one after another, in milliseconds. */
async function p50(call: () => Promise<unknown>): Promise<number> {
  return percentile(await latencies(1, callsPerRound, () => timed(call)), 0.5);
}

/** The time of a call, in milliseconds. */
async function timed(call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await call();
  return performance.now() - startedAt;
}
