import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { createProgress } from '../../cli/progress.ts';
import { services } from '../../run.ts';
import { latencies, median, percentile, type Row } from '../measure.ts';
import { createAskClient } from './ask-client.ts';
import { type CostProcessInit, type CostProcessReady, cpuUsOfProcess, createChildren } from './children.ts';

// What masking of personal data and guardrails add to a question: the same questions to a mesh with both and to one without, in turns.
// The load is in this process and is not counted.

/** A kind of question. */
interface Kind {
  name: string;
  bypassesCache: boolean;
  /** Calls of a round. */
  callCount: number;
  /** Rounds that count: many short ones, since what else the machine does changes within seconds. */
  rounds: number;
}

const kinds: readonly Kind[] = [
  { name: 'a generated answer', bypassesCache: true, callCount: 48, rounds: 20 },
  { name: 'a cached answer', bypassesCache: false, callCount: 154, rounds: 50 },
];
/** Rounds before the first that counts: they compile, and fill the cache. */
const warmUpRounds = 4;
const bar = 1.15;

/** What a customer adds to every third question. */
const personalData = [
  '我的手机号是13812345678，订单收货人是张伟。',
  'My e-mail address is jane.miller@fastmail.example, please write to me.',
  '信用卡卡号是4111111111111111，身份证号码11010519491231002X。',
];

const hasPersonalData = (question: string) => personalData.some((data) => question.includes(data));

/** Rows: CPU and median time of a question with masking and guardrails, as a multiple of those without. */
export async function benchPrivacy(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-privacy-'));
  const key = randomBytes(24).toString('base64url');
  const { start, end } = createChildren();
  try {
    const startMesh = (isPrivate: boolean) => {
      const init: CostProcessInit = {
        services: services.map(({ name }) => name),
        dataDir: join(folder, isPrivate ? 'with' : 'without'),
        addresses: {},
        key,
        // No question reaches it: the model quotes.
        providerUrl: 'http://127.0.0.1:9/v1',
        isPrivate,
      };
      return start<CostProcessReady>('./process.ts', JSON.stringify(init));
    };
    const meshes = { plain: await startMesh(false), private: await startMesh(true) };
    const questions = meshes.plain.ready.questions.map((question, index) =>
      index % 3 === 0 ? `${question} ${personalData[(index / 3) % personalData.length]}` : question,
    );
    const progress = createProgress();
    const rows: Row[] = [];
    for (const kind of kinds) {
      const figures = { plain: createFigures(), private: createFigures() };
      const asked = kind.bypassesCache ? questions : await cachedOf(questions, Object.values(meshes), key);
      const clients = {
        plain: createAskClient(meshes.plain.ready.edgePort, key, asked, kind.bypassesCache),
        private: createAskClient(meshes.private.ready.edgePort, key, asked, kind.bypassesCache),
      };
      for (let round = -warmUpRounds; round < kind.rounds; round++) {
        progress.update(round + warmUpRounds, kind.rounds + warmUpRounds, kind.name);
        // The first of a round takes turns as well.
        const order = round % 2 === 0 ? (['plain', 'private'] as const) : (['private', 'plain'] as const);
        for (const name of order) {
          const before = await cpuUsOfProcess(meshes[name].child);
          const times = await latencies(1, kind.callCount, async () => {
            const startedAt = performance.now();
            await clients[name].call();
            return performance.now() - startedAt;
          });
          const usedUs = (await cpuUsOfProcess(meshes[name].child)) - before;
          if (round < 0) continue;
          figures[name].cpuMs.push(usedUs / 1000 / kind.callCount);
          figures[name].p50Ms.push(percentile(times, 0.5));
        }
      }
      for (const client of Object.values(clients)) client.close();
      const share = asked.filter(hasPersonalData).length / asked.length;
      rows.push(
        rowOf(`CPU of ${kind.name}`, figures.private.cpuMs, figures.plain.cpuMs, share),
        rowOf(`p50 of ${kind.name}`, figures.private.p50Ms, figures.plain.p50Ms, share),
      );
    }
    progress.end();
    return rows;
  } finally {
    await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the questions that both meshes answer from the cache the second time: an answer that is not verified is not stored. */
async function cachedOf(
  questions: readonly string[],
  meshes: readonly { ready: CostProcessReady }[],
  key: string,
): Promise<string[]> {
  const headers = { authorization: `Bearer ${key}` };
  const chats = meshes.map(({ ready }) =>
    createClient(
      ChatService,
      createConnectTransport({ baseUrl: `http://127.0.0.1:${ready.edgePort}`, httpVersion: '2' }),
    ),
  );
  const isCached = async (chat: (typeof chats)[number], question: string) => {
    let layer: CacheLayer = CacheLayer.UNSPECIFIED;
    for (let turn = 0; turn < 2; turn++) {
      for await (const { event } of chat.ask({ question }, { headers }))
        if (event.case === 'done') layer = event.value.cacheLayer;
    }
    return layer !== CacheLayer.UNSPECIFIED;
  };
  const cached: string[] = [];
  for (const question of questions) {
    const found = await Promise.all(chats.map((chat) => isCached(chat, question)));
    if (found.every(Boolean)) cached.push(question);
  }
  if (!cached.some(hasPersonalData)) throw new Error('no question with personal data is answered from the cache');
  return cached;
}

/** Figures of a mesh, one of each for a round, in milliseconds. */
function createFigures() {
  return { cpuMs: [] as number[], p50Ms: [] as number[] };
}

function rowOf(name: string, withBoth: readonly number[], without: readonly number[], share: number): Row {
  return {
    name: `${name}, masking and guardrails : neither`,
    measured: `${median(withBoth).toFixed(3)} and ${median(without).toFixed(3)} ms, 1 caller; ${Math.round(share * 100)} % of the questions have personal data`,
    value: median(withBoth.map((value, index) => value / (without[index] as number))),
    sense: '≤',
    bar,
  };
}
