import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Row } from '../measure.ts';

// Retrieval in a process of its own, so that nothing else of the benchmark is in its event loop.

/** What the process measures. */
export interface RetrievalFigures {
  chunkCount: number;
  p50Ms: number;
  p99Ms: number;
  perSecond: number;
  /** CPU time of a search with 32 callers, all threads together. */
  cpuMs: number;
  /** Memory of the process after the searches, with and without pages of files; the latter is NaN if the system does not say. */
  residentMb: number;
  ownMb: number;
  /** Longest pause of the event loop while 32 callers ask, in milliseconds. */
  longestPauseMs: number;
  /** From the start of the process until searches are answered from memory, in milliseconds, and the CPU time of it. */
  loadedMs: number;
  loadCpuMs: number;
  /** The same questions put to sqlite-vec and FTS5 by themselves, side by side; NaN for a large index. */
  rawP50Ms: number;
  /** Questions asked from one caller. */
  questionCount: number;
  /** The folder of its index, for the process that measures a start. */
  dataDir: string;
  /** While one document after another is published or purged; `undefined`: not measured. */
  changes: ChangeFigures | undefined;
}

/** The 99th percentiles of searches, in milliseconds. */
export interface ChangeFigures {
  /** Of a tenant while another one changes its index. */
  other: { quiet: number; publishing: number; purging: number };
  /** Of the tenant that changes its index. */
  same: { quiet: number; publishing: number; purging: number };
  /** Changes a second. */
  publishesPerSecond: number;
  purgesPerSecond: number;
}

/** What a process measures after a start over an index that is there. */
export interface StartFigures {
  /** From the start of the services until they are ready. */
  readyMs: number;
  firstMs: number;
  warmMs: number;
  /** CPU time of the first search, and of a later one, in milliseconds, all threads together. */
  firstCpuMs: number;
  warmCpuMs: number;
}

const processFile = './retrieval-process.ts';
const help = 'names the folder that holds alihelp-zh and alihelp-en';

/** Rows: latency and throughput of hybrid retrieval over the help corpora, quiet, cold and changing; and grown to many chunks. */
export async function benchRetrieval(
  data: string | undefined,
  { quick, million, index }: { quick: boolean; million: boolean; index: string | undefined },
): Promise<Row[]> {
  if (data === undefined) throw new Error(`bench retrieval needs --data, which ${help}`);
  const folders = ['alihelp-zh', 'alihelp-en'].map((name) => join(data, name));
  for (const folder of folders) {
    if (!existsSync(join(folder, 'corpus.jsonl'))) throw new Error(`${folder} has no corpus.jsonl: --data ${help}`);
  }
  const small = await measure(folders, 0, true);
  const start = await measureStart(folders, small.dataDir);
  rmSync(small.dataDir, { recursive: true, force: true });
  const rows = [
    ...smallRows(small),
    ...startRows(start),
    ...(small.changes === undefined ? [] : changeRows(small.changes)),
  ];
  if (quick) return rows;
  const large = await measure(folders, 214_071, false);
  rmSync(large.dataDir, { recursive: true, force: true });
  rows.push(...largeRows(large));
  if (million) rows.push(...(await millionRows(folders, index)));
  return rows;
}

/** Rows of a million chunks, in a process that starts over an index that is there. `index`: its folder, which stays; otherwise it is made, and goes. */
async function millionRows(folders: readonly string[], index: string | undefined): Promise<Row[]> {
  const chunkCount = 1_000_000;
  const dataDir = index ?? mkdtempSync(join(tmpdir(), 'ragmesh-million-'));
  try {
    if (!hasImages(dataDir)) await figuresOf(processFile, [String(chunkCount), 'build', dataDir, ...folders]);
    return largeRows(await figuresOf(processFile, [String(chunkCount), 'quiet', dataDir, ...folders]));
  } finally {
    if (index === undefined) rmSync(dataDir, { recursive: true, force: true });
  }
}

function hasImages(dataDir: string): boolean {
  return ['vectors', 'keywords'].every((kind) => {
    const folder = join(dataDir, 'retrieval', kind);
    return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.image'));
  });
}

function smallRows(small: RetrievalFigures): Row[] {
  const where = `${small.chunkCount} chunks, ${small.questionCount} questions`;
  const cpu = `${small.chunkCount} chunks; ${small.cpuMs.toFixed(2)} ms of CPU a search`;
  return [
    { name: 'hybrid retrieval, 1 caller, p50 ms', measured: where, value: small.p50Ms, sense: '≤', bar: 3.5 },
    { name: 'hybrid retrieval, 1 caller, p99 ms', measured: where, value: small.p99Ms, sense: '≤', bar: 15 },
    { name: 'hybrid retrieval, 32 callers, per second', measured: cpu, value: small.perSecond, sense: '≥', bar: 700 },
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
  ];
}

function startRows({ readyMs, firstMs, warmMs, firstCpuMs, warmCpuMs }: StartFigures): Row[] {
  const cpu = `${firstCpuMs.toFixed(1)} and ${warmCpuMs.toFixed(1)} ms of CPU`;
  const measured = `${firstMs.toFixed(1)} and ${warmMs.toFixed(1)} ms, ${cpu}; ready after ${Math.round(readyMs)} ms`;
  return [{ name: 'first answer after a restart : warm', measured, value: firstMs / warmMs, sense: '≤', bar: 2 }];
}

function changeRows({ other, same, publishesPerSecond, purgesPerSecond }: ChangeFigures): Row[] {
  const row = (name: string, changing: number, quiet: number, perSecond: number, bar: number): Row => ({
    name: `p99 of ${name} : quiet`,
    measured: `${changing.toFixed(1)} and ${quiet.toFixed(1)} ms, ${perSecond.toFixed(1)} changes a second`,
    value: changing / quiet,
    sense: '≤',
    bar,
  });
  return [
    row('a tenant while another one publishes', other.publishing, other.quiet, publishesPerSecond, 1.3),
    row('a tenant while another one purges', other.purging, other.quiet, purgesPerSecond, 1.3),
    row('a tenant while it publishes', same.publishing, same.quiet, publishesPerSecond, 2),
    row('a tenant while it purges', same.purging, same.quiet, purgesPerSecond, 2),
  ];
}

function largeRows(large: RetrievalFigures): Row[] {
  const isMillion = large.chunkCount >= 1_000_000;
  const size = `${large.chunkCount} chunks`;
  const measured = `p50 ${large.p50Ms.toFixed(1)} ms; ${large.cpuMs.toFixed(1)} ms of CPU a search`;
  return [
    { name: `${size}, 1 caller, p99 ms`, measured, value: large.p99Ms, sense: '≤', bar: isMillion ? 45 : 30 },
    {
      name: `${size}, 32 callers, per second`,
      measured,
      value: large.perSecond,
      sense: '≥',
      bar: isMillion ? 80 : 250,
    },
    ...(isMillion
      ? [
          {
            name: `${size}, MB of the process without pages of files`,
            measured: `${large.residentMb.toFixed(0)} MB with pages of files`,
            ...{ value: large.ownMb, sense: '≤' as const, bar: 1500 },
          },
          {
            name: `${size}, s from a start until they are in memory`,
            measured: `${(large.loadCpuMs / 1000).toFixed(1)} s of CPU`,
            value: large.loadedMs / 1000,
            sense: '≤' as const,
            bar: 15,
          },
        ]
      : []),
  ];
}

const measure = (folders: readonly string[], chunkCount: number, withChanges: boolean): Promise<RetrievalFigures> =>
  figuresOf(processFile, [String(chunkCount), withChanges ? 'changes' : 'quiet', '', ...folders]);

const measureStart = (folders: readonly string[], dataDir: string): Promise<StartFigures> =>
  figuresOf('./retrieval-start-process.ts', [dataDir, ...folders]);

async function figuresOf<T>(file: string, args: readonly string[]): Promise<T> {
  const child = fork(new URL(file, import.meta.url), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    return await firstMessage<T>(child);
  } finally {
    if (child.connected) child.disconnect();
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
  }
}

function firstMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the process that measures retrieval ended with ${code}`)));
  });
}
