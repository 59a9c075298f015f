import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from './measure.ts';

// Retrieval in a process of its own, so that nothing else of the benchmark is in its event loop.

/** What the process measures. */
export interface RetrievalFigures {
  chunkCount: number;
  p50Ms: number;
  p99Ms: number;
  perSecond: number;
  /** Longest pause of the event loop while 32 callers ask, in milliseconds. */
  longestPauseMs: number;
  /** The same questions put to sqlite-vec and FTS5 by themselves, side by side. */
  rawP50Ms: number;
  /** Questions asked from one caller. */
  questionCount: number;
}

const help = 'names the folder that holds alihelp-zh and alihelp-en';

/** Rows: latency and throughput of hybrid retrieval over the help corpora, as they are and grown to 200,000 chunks. */
export async function benchRetrieval(data: string | undefined, isQuick: boolean): Promise<Row[]> {
  if (data === undefined) throw new Error(`bench retrieval needs --data, which ${help}`);
  const folders = ['alihelp-zh', 'alihelp-en'].map((name) => join(data, name));
  for (const folder of folders) {
    if (!existsSync(join(folder, 'corpus.jsonl'))) throw new Error(`${folder} has no corpus.jsonl: --data ${help}`);
  }
  const small = await measure(folders, 0);
  const large = isQuick ? undefined : await measure(folders, 200_000);
  const where = `${small.chunkCount} chunks, ${small.questionCount} questions`;
  return [
    { name: 'hybrid retrieval, 1 caller, p50 ms', measured: where, value: small.p50Ms, sense: '≤', bar: 6 },
    { name: 'hybrid retrieval, 1 caller, p99 ms', measured: where, value: small.p99Ms, sense: '≤', bar: 25 },
    { name: 'hybrid retrieval, 32 callers, per second', measured: where, value: small.perSecond, sense: '≥', bar: 400 },
    {
      name: 'longest pause of the event loop, 32 callers, ms',
      measured: where,
      value: small.longestPauseMs,
      sense: '≤',
      bar: 10,
    },
    {
      name: 'hybrid retrieval : sqlite-vec and FTS5 by themselves',
      measured: `${small.p50Ms.toFixed(1)} and ${small.rawP50Ms.toFixed(1)} ms, p50, 1 caller`,
      value: small.p50Ms / small.rawP50Ms,
      sense: '≤',
      bar: 1.2,
    },
    ...(large === undefined
      ? []
      : [
          {
            name: 'hybrid retrieval of many chunks, 1 caller, p99 ms',
            measured: `${large.chunkCount} chunks; p50 ${large.p50Ms.toFixed(1)} ms, ${Math.round(large.perSecond)}/s at 32 callers`,
            value: large.p99Ms,
            sense: '≤' as const,
            bar: 60,
          },
        ]),
  ];
}

async function measure(folders: readonly string[], chunkCount: number): Promise<RetrievalFigures> {
  const child = fork(new URL('./retrieval-process.ts', import.meta.url), [String(chunkCount), ...folders], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    return await figuresOf(child);
  } finally {
    if (child.connected) child.disconnect();
  }
}

function figuresOf(child: ChildProcess): Promise<RetrievalFigures> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as RetrievalFigures));
    child.once('exit', (code) => reject(new Error(`the process that measures retrieval ended with ${code}`)));
  });
}
