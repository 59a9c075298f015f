import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { AskRequestSchema, AskResponseSchema, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { EchoService, ServerStreamRequestSchema } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { createProgress } from '../cli/progress.ts';
import { callsPerSecond, latencies, median, percentile, type Row } from './measure.ts';
import { createRawClient } from './raw-client.ts';

// The whole mesh in a process of its own, asked through its edge, beside a bare connect-node stream.

/** What the process of the servers reports when it is ready. */
export interface ServersReady {
  edgeUrl: string;
  key: string;
  bareUrl: string;
  documentCount: number;
  questions: string[];
}

const callers = 64;
const seconds = 2;
const rounds = 5;

/** Rows: cached answers against a bare stream, and the time to the first text. `data`: a folder with the help corpora. */
export async function benchAnswers(data: string | undefined): Promise<Row[]> {
  const corpora = data === undefined ? [] : ['alihelp-zh', 'alihelp-en'].map((name) => join(data, name));
  for (const folder of corpora) {
    if (!existsSync(join(folder, 'corpus.jsonl')))
      throw new Error(`${folder} has no corpus.jsonl: --data names the folder that holds alihelp-zh and alihelp-en`);
  }
  const servers = fork(new URL('./answer-servers.ts', import.meta.url), corpora, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const ready = await firstMessage(servers);
    const transport = (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: '2' });
    const chat = createClient(ChatService, transport(ready.edgeUrl));
    return [await cachedAnswers(chat, ready), ...(await firstText(chat, ready))];
  } finally {
    servers.disconnect();
  }
}

function firstMessage(servers: ChildProcess): Promise<ServersReady> {
  return new Promise((resolve, reject) => {
    servers.once('message', (message) => resolve(message as ServersReady));
    servers.once('exit', (code) => reject(new Error(`the servers ended with ${code}`)));
  });
}

async function cachedAnswers(chat: Client<typeof ChatService>, ready: ServersReady): Promise<Row> {
  const question = ready.questions[0] ?? '';
  const headers = { authorization: `Bearer ${ready.key}` };
  const sizes: number[] = [];
  for (let turn = 0; turn < 2; turn++) {
    sizes.length = 0;
    for await (const response of chat.ask({ question }, { headers }))
      sizes.push(toBinary(AskResponseSchema, response).byteLength);
  }
  const textLength = Math.round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length);
  const echo = create(ServerStreamRequestSchema, { text: 'x'.repeat(textLength), count: sizes.length });
  const cached = createRawClient(
    ready.edgeUrl,
    `/${ChatService.typeName}/Ask`,
    toBinary(AskRequestSchema, create(AskRequestSchema, { question })),
    ready.key,
  );
  const bare = createRawClient(
    ready.bareUrl,
    `/${EchoService.typeName}/ServerStream`,
    toBinary(ServerStreamRequestSchema, echo),
  );
  const rates = { cached: [] as number[], bare: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    rates.bare.push(await callsPerSecond(callers, seconds, bare.call));
    rates.cached.push(await callsPerSecond(callers, seconds, cached.call));
  }
  cached.close();
  bare.close();
  return {
    name: 'cached answer through the edge : bare connect-node stream',
    measured: `${Math.round(median(rates.cached))}/s and ${Math.round(median(rates.bare))}/s, ${sizes.length} messages of ${textLength} bytes, ${callers} callers`,
    value: median(rates.cached.map((value, index) => value / (rates.bare[index] as number))),
    sense: '≥',
    bar: 0.7,
  };
}

async function firstText(chat: Client<typeof ChatService>, ready: ServersReady): Promise<Row[]> {
  const options = { headers: { authorization: `Bearer ${ready.key}` } };
  const modelMs: number[] = [];
  // The platform's own share: the time to the first text, less what the model took. The extractive model has its whole answer
  // when it says its first word, so that is the time of its stage.
  const ask = async (index: number): Promise<number> => {
    const startedAt = performance.now();
    const question = ready.questions[index % ready.questions.length] ?? '';
    let firstMs = Number.NaN;
    let stageMs = 0;
    for await (const { event } of chat.ask({ question, bypassCache: true }, options)) {
      if (event.case === 'textDelta' && Number.isNaN(firstMs)) firstMs = performance.now() - startedAt;
      if (event.case === 'stage' && event.value.stage === Stage.GENERATE && event.value.latencyUs > 0n) {
        stageMs = Number(event.value.latencyUs) / 1000;
      }
    }
    modelMs.push(stageMs);
    const ownMs = firstMs - stageMs;
    return ownMs;
  };
  const progress = createProgress();
  await latencies(1, 50, ask);
  modelMs.length = 0;
  const one = await latencies(1, 600, (index) => {
    progress.update(index, 600, 'asking, 1 caller');
    return ask(index);
  });
  const model = `the extractive model took ${median(modelMs).toFixed(1)} ms beside it`;
  const many = await latencies(32, 1500, (index) => {
    progress.update(index, 1500, 'asking, 32 callers');
    return ask(index + 600);
  });
  progress.end();
  const where = `${ready.documentCount} documents; ${model}`;
  const row = (name: string, values: readonly number[], share: number, bar: number): Row => {
    return {
      name: `own share of the first text, ${name}`,
      measured: where,
      value: percentile(values, share),
      sense: '≤',
      bar,
    };
  };
  return [
    row('1 caller, p50 ms', one, 0.5, 15),
    row('1 caller, p99 ms', one, 0.99, 50),
    row('32 callers, p50 ms', many, 0.5, 60),
    row('32 callers, p99 ms', many, 0.99, 150),
  ];
}
