import { type ChildProcess, fork } from 'node:child_process';
import { createProgress } from '../../../cli/progress.ts';
import type { Row } from '../../measure.ts';
import { cpuMsOf } from '../../process-cpu.ts';
import { answerOf, type GatewayReady, peerHeaders } from '../llm.ts';
import { type Asked, type CompletionClient, createHttpClient, patient } from '../llm-clients.ts';
import { startPeer } from '../llm-peer.ts';
import { type Taken, wireRows } from './wire-rows.ts';

// The edge beside Portkey's gateway and a bare proxy, all on OpenAI's wire over HTTP/1.1: same client, same bodies, same provider. The edge
// authenticates, limits, prices, meters and records. Each contender is one process; the CPU of that process is what counts, which holds
// on a busy machine, and rounds take turns.

const callers = 32;

/** Kinds of replies: a whole one, and a stream of 200 deltas, each with the requests of a round. */
const kinds: readonly { label: string; asked: Asked; requests: number }[] = [
  { label: 'whole', asked: { model: 'short', stream: false }, requests: 3000 },
  { label: '200 deltas', asked: { model: 'long', stream: true }, requests: 400 },
];

interface Contender {
  pid: number | undefined;
  port: number;
  headers: Record<string, string>;
}

/** Rows with bars: requests a second and CPU a request. `isQuick`: a smoke test. */
export async function benchWire(isQuick: boolean): Promise<Row[]> {
  const rounds = isQuick ? 3 : 9;
  const progress = createProgress();
  const servers: ChildProcess[] = [];
  const start = async <T>(file: string, ...args: string[]) => {
    const server = fork(new URL(file, import.meta.url), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    servers.push(server);
    return { pid: server.pid, ready: await answerOf<T>(server) };
  };
  const { ready } = await start<{ port: number }>('../llm-provider.ts');
  const url = `http://127.0.0.1:${ready.port}/v1`;
  const long: Asked = { model: 'long', stream: true };
  const peer = await startPeer(
    (line) => process.stderr.write(`${line}\n`),
    (port) => createHttpClient(port, peerHeaders(url), long).call(),
  );
  try {
    const bare = await start<{ port: number }>('./bare-proxy.ts', url);
    const edge = await start<GatewayReady>('../llm-servers.ts', 'edge', url);
    const contenders: Record<'edge' | 'bare', Contender> & { peer?: Contender } = {
      bare: { pid: bare.pid, port: bare.ready.port, headers: {} },
      edge: { pid: edge.pid, port: edge.ready.edgePort, headers: { authorization: `Bearer ${edge.ready.key}` } },
      ...(peer && { peer: { pid: peer.pid, port: peer.port, headers: peerHeaders(url) } }),
    };
    const rows: Row[] = [];
    for (const { label, asked, requests } of kinds) {
      const taken = { edge: nothing(), bare: nothing(), peer: nothing() };
      // The first round compiles the code.
      for (let round = 0; round <= rounds; round++) {
        for (const [name, contender] of Object.entries(contenders)) {
          progress.update(round, rounds, `${label}, ${name}`);
          const figures = await measure(contender, asked, isQuick ? requests / 2 : requests);
          if (round === 0) continue;
          taken[name as keyof typeof taken].perSecond.push(figures.perSecond);
          if (figures.cpuMs !== undefined) taken[name as keyof typeof taken].cpuMs.push(figures.cpuMs);
        }
      }
      rows.push(...wireRows({ ...taken, label, peer: peer && { label: peer.label, taken: taken.peer } }));
    }
    progress.end();
    return rows;
  } finally {
    peer?.close();
    for (const server of servers.reverse()) if (server.connected) server.disconnect();
  }
}

const nothing = (): Taken => ({ perSecond: [], cpuMs: [] });

async function measure({ pid, port, headers }: Contender, asked: Asked, requests: number) {
  const failures: unknown[] = [];
  const client: CompletionClient = patient(createHttpClient(port, headers, asked), (error) => failures.push(error));
  let left = requests;
  const caller = async () => {
    while (left-- > 0) await client.call(asked.stream ? ignore : undefined);
  };
  const before = cpuMsOf(pid);
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: callers }, caller));
  const seconds = (performance.now() - startedAt) / 1000;
  const after = cpuMsOf(pid);
  client.close();
  if (failures.length > 0)
    process.stderr.write(`${failures.length} calls failed and were made again: ${failures[0]}\n`);
  return {
    perSecond: requests / seconds,
    cpuMs: before === undefined || after === undefined ? undefined : (after - before) / requests,
  };
}

function ignore(): void {}
