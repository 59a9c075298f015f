import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgress } from '../../cli/progress.ts';
import { services } from '../../run.ts';
import { createPostClient } from '../llm/llm-clients.ts';
import { callsPerSecond, median, type Row } from '../measure.ts';
import { createAskClient } from './ask-client.ts';
import { type CostProcessInit, type CostProcessReady, cpuUsOfProcess, createChildren } from './children.ts';

// CPU that a request costs in all processes of the mesh together, for each way to spread the services over processes. Rounds take
// turns, so that a noisy machine hits all alike. The load is in this process and is not counted.

/** One way to spread the services over processes. */
interface Topology {
  processes: ChildProcess[];
  edgePort: number;
  questions: string[];
}

const topologies = ['one process', '--workers 2', 'edge | rest'] as const;
type TopologyName = (typeof topologies)[number];

/** A kind of request, with the bar of its cost in one process, in milliseconds. */
interface Kind {
  name: string;
  bar: number;
  /** Cost with two workers, in milliseconds. */
  workersBar: number;
  /** Rate of two workers on two cores that do nothing else, by their CPU, as a multiple of one process. */
  workersRateBar: number;
  /** Cost when it is split, as a multiple of one process. */
  splitBar: number;
  connect(topology: Topology, key: string): { call(): Promise<unknown>; close(): void };
}

const rounds = 5;
const seconds = 1.5;
const callers = 32;

/** Rows: CPU of a cached answer, a generated one and a gateway request, in one process and split. */
export async function benchCosts(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-costs-'));
  const key = randomBytes(24).toString('base64url');
  const { start, end } = createChildren();
  try {
    const provider = await start<{ port: number }>('../llm/llm-provider.ts');
    const providerUrl = `http://127.0.0.1:${provider.ready.port}/v1`;
    const startMesh = (
      name: string,
      chosen: string[],
      addresses: Record<string, string> = {},
      file = './process.ts',
    ) => {
      const dataDir = join(folder, name);
      const init: CostProcessInit = { services: chosen, dataDir, addresses, key, providerUrl, isPrivate: false };
      return start<CostProcessReady>(file, JSON.stringify(init));
    };
    const all = services.map(({ name }) => name);
    const one = await startMesh('one', all);
    const group = await startMesh('workers', all, {}, './group-process.ts');
    const rest = await startMesh(
      'split',
      all.filter((name) => name !== 'edge'),
    );
    const addresses = Object.fromEntries(all.map((name) => [name, `127.0.0.1:${rest.ready.grpcPort}`]));
    const edge = await startMesh('split', ['edge'], addresses);
    return await measure(
      {
        'one process': { processes: [one.child], edgePort: one.ready.edgePort, questions: one.ready.questions },
        '--workers 2': { processes: [group.child], edgePort: group.ready.edgePort, questions: one.ready.questions },
        'edge | rest': {
          processes: [edge.child, rest.child],
          edgePort: edge.ready.edgePort,
          questions: rest.ready.questions,
        },
      },
      key,
    );
  } finally {
    await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

const authorization = (key: string) => ({ authorization: `Bearer ${key}` });

const kinds: readonly Kind[] = [
  {
    name: 'a cached answer, SSE',
    bar: 0.3,
    workersBar: 0.5,
    workersRateBar: 1.7,
    splitBar: 1.3,
    connect: ({ edgePort, questions }, key) => {
      const body = JSON.stringify({ query: questions[0] });
      return createPostClient(edgePort, '/v1/chat/stream', authorization(key), body);
    },
  },
  {
    name: 'a cached answer, Connect',
    bar: 0.3,
    workersBar: 0.5,
    workersRateBar: 1.7,
    splitBar: 1.3,
    connect: ({ edgePort, questions }, key) => createAskClient(edgePort, key, questions.slice(0, 1), false),
  },
  {
    name: 'a generated answer, Connect',
    bar: Number.POSITIVE_INFINITY,
    workersBar: Number.POSITIVE_INFINITY,
    workersRateBar: 1.7,
    splitBar: 1.3,
    connect: ({ edgePort, questions }, key) => createAskClient(edgePort, key, questions, true),
  },
  {
    name: 'a gateway request',
    bar: 0.35,
    workersBar: Number.POSITIVE_INFINITY,
    workersRateBar: 1.7,
    splitBar: Number.POSITIVE_INFINITY,
    connect: ({ edgePort }, key) => {
      const body = JSON.stringify({ model: 'short', messages: [{ role: 'user', content: 'How long do I have?' }] });
      return createPostClient(edgePort, '/v1/chat/completions', authorization(key), body);
    },
  },
];

async function measure(meshes: Record<TopologyName, Topology>, key: string): Promise<Row[]> {
  const progress = createProgress();
  const found = new Map<string, { cpuMs: number[]; perSecond: number[] }>();
  const steps = (rounds + 1) * kinds.length * topologies.length;
  let step = 0;
  for (let round = 0; round <= rounds; round++) {
    for (const kind of kinds) {
      for (const name of topologies) {
        progress.update(step++, steps, `${kind.name}, ${name}`);
        const mesh = meshes[name];
        const client = kind.connect(mesh, key);
        // The first call of a kind makes what is cached.
        if (round === 0) await client.call();
        const beforeUs = await cpuUsOf(mesh);
        const perSecond = await callsPerSecond(callers, seconds, client.call);
        const usedUs = (await cpuUsOf(mesh)) - beforeUs;
        client.close();
        // The first round compiles.
        if (round === 0) continue;
        const entry = found.get(`${kind.name} ${name}`) ?? { cpuMs: [], perSecond: [] };
        entry.cpuMs.push(usedUs / 1000 / (perSecond * seconds));
        entry.perSecond.push(perSecond);
        found.set(`${kind.name} ${name}`, entry);
      }
    }
  }
  progress.end();
  return kinds.flatMap((kind) => {
    const of = (name: TopologyName) => found.get(`${kind.name} ${name}`) ?? { cpuMs: [], perSecond: [] };
    const one = of('one process');
    const workers = of('--workers 2');
    const split = of('edge | rest');
    const shown = ({ cpuMs, perSecond }: typeof one) =>
      `${median(cpuMs).toFixed(3)} ms (${Math.min(...cpuMs).toFixed(3)}–${Math.max(...cpuMs).toFixed(3)}), ${Math.round(median(perSecond))}/s`;
    return [
      {
        name: `CPU of ${kind.name}, one process, ms`,
        measured: `${shown(one)}; ${callers} callers`,
        value: median(one.cpuMs),
        sense: '≤' as const,
        bar: kind.bar,
      },
      {
        name: `CPU of ${kind.name}, --workers 2, ms`,
        measured: `${shown(workers)}; ${callers} callers`,
        value: median(workers.cpuMs),
        sense: '≤' as const,
        bar: kind.workersBar,
      },
      {
        name: `rate of ${kind.name} by CPU on two cores, --workers 2 : one process`,
        measured: `2 × ${median(one.cpuMs).toFixed(3)} ms : ${median(workers.cpuMs).toFixed(3)} ms`,
        value: median(workers.cpuMs.map((value, index) => (2 * (one.cpuMs[index] as number)) / value)),
        sense: '≥' as const,
        bar: kind.workersRateBar,
      },
      {
        name: `CPU of ${kind.name}, edge | rest : one process`,
        measured: `${shown(split)}; ${callers} callers`,
        value: median(split.cpuMs.map((value, index) => value / (one.cpuMs[index] as number))),
        sense: '≤' as const,
        bar: kind.splitBar,
      },
    ];
  });
}

async function cpuUsOf({ processes }: Topology): Promise<number> {
  const used = await Promise.all(processes.map(cpuUsOfProcess));
  return used.reduce((sum, cpuUs) => sum + cpuUs, 0);
}
