import { type ChildProcess, fork } from 'node:child_process';
import { createProgress, type Progress } from '../../cli/progress.ts';
import { callsPerSecond, type Row } from '../measure.ts';
import { cpuMsOf } from '../process-cpu.ts';
import { type Asked, type CompletionClient, createGrpcClient, createHttpClient, patient } from './llm-clients.ts';
import { startPeer } from './llm-peer.ts';
import { latencyRows, memoryRow, type Rate, rateRows, type Streams, streamRows } from './llm-rows.ts';
import { findStallFree } from './stall-free.ts';

// The gateway against direct calls of the same provider on loopback, and against Portkey's gateway, all in one run: rounds take
// turns, so that a noisy machine hits all alike. Every server is a process of its own.

/** What one of our servers reports when it is ready. */
export interface GatewayReady {
  grpcPort: number;
  edgePort: number;
  authorization: string;
  key: string;
}

/** What a server has taken so far. */
export interface Figures {
  cpuUs: number;
  rssBytes: number;
  /** Size of its heap after a garbage collection, if it was requested. */
  heapBytes?: number;
}

/** How much is measured. As many calls as are timed go before them: a server that has just begun is compiling itself. */
interface Extent {
  latencyCalls: number;
  rateRounds: number;
  rateSeconds: number;
  mostStreams: number;
  memoryRequests: number;
}

const full: Extent = {
  latencyCalls: 3000,
  rateRounds: 5,
  rateSeconds: 3,
  mostStreams: 4096,
  memoryRequests: 50_000,
};
const quick: Extent = { latencyCalls: 300, rateRounds: 2, rateSeconds: 1, mostStreams: 256, memoryRequests: 4000 };

const callers = 32;

/** Streams that direct calls carry on any machine that has nothing else to do. */
const quietStreams = 128;

/** A server that is measured. */
interface Contender {
  name: string;
  /** Its process. */
  pid: number | undefined;
  /** A client with fresh connections. */
  connect(asked: Asked): Promise<CompletionClient>;
  /** Calls that failed and were made again. */
  failures: unknown[];
}

/** Rows: what the gateway adds to a call, its rate, the streams that it carries, its memory. `isQuick`: a smoke test. */
export async function benchLlm(isQuick: boolean): Promise<Row[]> {
  const extent = isQuick ? quick : full;
  const progress = createProgress();
  const servers: ChildProcess[] = [];
  const start = async <T>(file: string, ...args: string[]) => {
    const server = fork(new URL(file, import.meta.url), args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: ['--expose-gc'],
    });
    servers.push(server);
    return { server, ready: await answerOf<T>(server) };
  };
  const provider = await start<{ port: number }>('./llm-provider.ts');
  const { port } = provider.ready;
  const url = `http://127.0.0.1:${port}/v1`;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const peer = await startPeer(say, (peerPort) => tryOut(createHttpClient(peerPort, peerHeaders(url), paced)));
  try {
    const gateway = await start<GatewayReady>('./llm-servers.ts', 'gateway', url);
    const edge = await start<GatewayReady>('./llm-servers.ts', 'edge', url);
    const contenders = {
      direct: {
        name: 'direct',
        pid: provider.server.pid,
        failures: [],
        connect: async (asked) => createHttpClient(port, {}, asked),
      },
      gateway: {
        name: 'gateway',
        pid: gateway.server.pid,
        failures: [],
        connect: async (asked) => {
          const { grpcPort, authorization } = await answerOf<GatewayReady>(gateway.server, 'ready');
          return createGrpcClient(grpcPort, authorization, asked);
        },
      },
      edge: {
        name: 'edge',
        pid: edge.server.pid,
        failures: [],
        connect: async (asked) =>
          createHttpClient(edge.ready.edgePort, { authorization: `Bearer ${edge.ready.key}` }, asked),
      },
      ...(peer && {
        peer: {
          name: peer.label,
          pid: peer.pid,
          failures: [],
          connect: async (asked: Asked) => createHttpClient(peer.port, peerHeaders(url), asked),
        },
      }),
    } satisfies Record<string, Contender>;
    const measured = {
      latency: await measureLatency(Object.values(contenders), extent, progress),
      rate: await measureRate(Object.values(contenders), extent, progress),
      streams: await measureStreams(Object.values(contenders), extent, progress),
    };
    const memory = await measureMemory(
      gateway.server,
      await connectPatiently(contenders.gateway, short),
      extent,
      progress,
    );
    progress.end();
    for (const { name, failures } of Object.values<Contender>(contenders)) {
      if (failures.length === 0) continue;
      process.stderr.write(
        `${name}: ${failures.length} calls failed and were made again; the last: ${failures.at(-1)}\n`,
      );
    }
    const ceiling = measured.streams.get(contenders.direct.name)?.streams ?? 0;
    if (ceiling < quietStreams) {
      process.stderr.write(
        `the machine is busy: even direct calls carry no more than ${ceiling} streams without a stall\n`,
      );
    }
    return [
      ...latencyRows(measured.latency, peer?.label),
      ...rateRows(measured.rate, peer?.label),
      ...streamRows(measured.streams, peer?.label),
      memory,
    ];
  } finally {
    peer?.close();
    for (const server of servers.reverse()) if (server.connected) server.disconnect();
  }
}

/** Returns the next message of a server, after sending it the question if there is one. */
export function answerOf<T>(server: ChildProcess, question?: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a server of the benchmark ended with ${code}`));
    server.once('exit', onExit);
    server.once('message', (message) => {
      server.off('exit', onExit);
      resolve(message as T);
    });
    if (question !== undefined) server.send(question);
  });
}

const short: Asked = { model: 'short', stream: false };
const paced: Asked = { model: 'paced', stream: true };

async function connectPatiently({ connect, failures }: Contender, asked: Asked): Promise<CompletionClient> {
  return patient(await connect(asked), (error) => failures.push(error));
}

/** One call, for a server that is not ours: a figure of one that only refuses would say nothing. */
async function tryOut(client: CompletionClient): Promise<void> {
  try {
    await client.call();
  } finally {
    client.close();
  }
}

/** Calls of one contender before it is another's turn. */
const turnCalls = 50;

async function measureLatency(contenders: readonly Contender[], extent: Extent, progress: Progress) {
  const lanes = await Promise.all(
    contenders.map(async (contender) => ({
      name: contender.name,
      client: await connectPatiently(contender, short),
      times: [] as number[],
    })),
  );
  const warmUpCalls = extent.latencyCalls;
  for (let done = -warmUpCalls; done < extent.latencyCalls; done += turnCalls) {
    progress.update(Math.max(0, done), extent.latencyCalls, 'time of a call, 1 caller');
    for (const { client, times } of lanes) {
      for (let call = 0; call < turnCalls; call++) {
        const startedAt = performance.now();
        await client.call();
        if (done >= 0) times.push(performance.now() - startedAt);
      }
    }
  }
  for (const { client } of lanes) client.close();
  return new Map(lanes.map(({ name, times }) => [name, times.sort((a, b) => a - b)]));
}

async function measureRate(contenders: readonly Contender[], extent: Extent, progress: Progress) {
  const rates = new Map<string, Rate>(contenders.map(({ name }) => [name, { perSecond: [], cpuMs: [] }]));
  for (let round = 0; round < extent.rateRounds; round++) {
    for (const contender of contenders) {
      const { name, pid } = contender;
      progress.update(round, extent.rateRounds, `requests a second of ${name}, ${callers} callers`);
      const client = await connectPatiently(contender, short);
      const before = cpuMsOf(pid);
      let count = 0;
      const perSecond = await callsPerSecond(callers, extent.rateSeconds, async () => {
        await client.call();
        count++;
      });
      const after = cpuMsOf(pid);
      client.close();
      rates.get(name)?.perSecond.push(perSecond);
      if (before !== undefined && after !== undefined) rates.get(name)?.cpuMs.push((after - before) / count);
    }
  }
  return rates;
}

async function measureStreams(contenders: readonly Contender[], extent: Extent, progress: Progress) {
  const found = new Map<string, Streams>();
  for (const [index, contender] of contenders.entries()) {
    const { name, pid, connect } = contender;
    const tell = (streams: number) => progress.update(index, contenders.length, `${streams} paced streams of ${name}`);
    const cpuUs = await deltaCpuUs(pid, await connectPatiently(contender, paced));
    const stallFree = await findStallFree(() => connect(paced), { from: 16, most: extent.mostStreams, tell });
    found.set(name, { ...stallFree, cpuUs });
  }
  return found;
}

/** Returns the CPU time of a server for one delta of a paced stream, in microseconds; `undefined` if the system does not report it. */
async function deltaCpuUs(pid: number | undefined, client: CompletionClient): Promise<number | undefined> {
  const streams = Array.from({ length: 24 });
  let deltaCount = 0;
  const count = (received: number) => {
    deltaCount += received;
  };
  const all = () => Promise.all(streams.map(() => client.call(count)));
  await all();
  deltaCount = 0;
  const before = cpuMsOf(pid);
  await all();
  await all();
  const after = cpuMsOf(pid);
  client.close();
  return before === undefined || after === undefined ? undefined : ((after - before) * 1000) / deltaCount;
}

/** Requests between two looks at the memory. */
const sampleRequests = 500;

async function measureMemory(server: ChildProcess, client: CompletionClient, extent: Extent, progress: Progress) {
  // Until all of its code has been compiled, a process grows without holding anything.
  for (let round = 0; round < callers; round++) {
    await Promise.all(Array.from({ length: callers }, () => client.call()));
  }
  const samples: number[] = [];
  const heapBytes: number[] = [];
  const total = extent.memoryRequests;
  for (let done = 0; done < total; done += sampleRequests) {
    progress.update(done, total, 'requests, for the memory');
    let left = sampleRequests;
    const caller = async () => {
      while (left-- > 0) await client.call();
    };
    await Promise.all(Array.from({ length: callers }, caller));
    const isBorder = Math.floor((4 * done) / total) !== Math.floor((4 * (done + sampleRequests)) / total);
    const { rssBytes, heapBytes: heap } = await answerOf<Figures>(server, isBorder ? 'collected' : 'figures');
    samples.push(rssBytes);
    if (heap !== undefined) heapBytes.push(heap);
  }
  client.close();
  return memoryRow(samples, heapBytes, total);
}

export function peerHeaders(url: string): Record<string, string> {
  return { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': url, authorization: 'Bearer sk-bench' };
}
