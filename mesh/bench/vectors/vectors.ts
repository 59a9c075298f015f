import { type ChildProcess, fork } from 'node:child_process';
import type { Row } from '../measure.ts';

// The search of vectors in memory by itself, each size in a process of its own, so that its memory is that of one copy.

/** The vectors that a process searches. */
export interface VectorsToMeasure {
  /** Those of the default model for the sample knowledge base and mixtures of them, or dense ones of 384 dimensions. */
  kind: 'hashing' | 'dense';
  count: number;
}

/** What a process measures. */
export interface VectorFigures {
  /** CPU milliseconds of a search for 50 rows, by filter. */
  cpuMs: Record<string, number>;
  /** CPU milliseconds of the same by sqlite-vec, without a filter; `undefined` for large copies. */
  sqliteCpuMs: number | undefined;
  /** CPU seconds of making the copy. */
  buildCpuSeconds: number;
  /** Memory of the process that the copy added, in GB. */
  addedGb: number;
}

/** Rows: CPU of a search at several sizes, with and without filters. */
export async function benchVectors(isQuick: boolean): Promise<Row[]> {
  const sizes: { vectors: VectorsToMeasure; bar: number }[] = [
    { vectors: { kind: 'hashing', count: 16_000 }, bar: 0.7 },
    { vectors: { kind: 'dense', count: 100_000 }, bar: 7 },
    { vectors: { kind: 'hashing', count: 214_000 }, bar: 4 },
    ...(isQuick ? [] : [{ vectors: { kind: 'hashing', count: 1_000_000 } as const, bar: 15 }]),
  ];
  const rows: Row[] = [];
  for (const { vectors, bar } of sizes) rows.push(...rowsOf(vectors, bar, await measure(vectors)));
  return rows;
}

function rowsOf({ kind, count }: VectorsToMeasure, bar: number, figures: VectorFigures): Row[] {
  const { cpuMs, sqliteCpuMs, buildCpuSeconds, addedGb } = figures;
  const plain = cpuMs['no filter'] as number;
  const filtered = Object.entries(cpuMs).map(([name, value]) => `${name} ${value.toFixed(2)}`);
  const name = `${count} ${kind} vectors`;
  return [
    {
      name: `${name}, CPU ms a search`,
      measured: `${filtered.join(', ')}; made in ${buildCpuSeconds.toFixed(1)} s of CPU`,
      value: plain,
      sense: '≤',
      bar,
    },
    ...(sqliteCpuMs === undefined
      ? []
      : [
          {
            name: `${name}, CPU of sqlite-vec : of the copy in memory`,
            measured: `${sqliteCpuMs.toFixed(2)} and ${plain.toFixed(2)} ms`,
            value: sqliteCpuMs / plain,
            sense: '≥' as const,
            bar: 5,
          },
        ]),
    ...(count < 1_000_000
      ? []
      : [
          {
            name: `${name}, memory that they add, GB`,
            measured: 'codes and float32 vectors',
            value: addedGb,
            sense: '≤' as const,
            bar: 1.4,
          },
        ]),
  ];
}

async function measure({ kind, count }: VectorsToMeasure): Promise<VectorFigures> {
  const child = fork(new URL('./vectors-process.ts', import.meta.url), [kind, String(count)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return await figuresOf(child);
}

function figuresOf(child: ChildProcess): Promise<VectorFigures> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as VectorFigures));
    child.once('exit', (code) => reject(new Error(`the process that measures vectors ended with ${code}`)));
  });
}
