import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row } from '../measure.ts';
import { linesOf, type Text, textsOf } from '../retrieval/retrieval-data.ts';
import type { IngestFigures } from './ingest-process.ts';

// Time and memory of an ingest of the two help corpora, and of two and four times as many documents made of them, each in a process of its own.

/** How many times as many documents. */
const multiples = [1, 2, 4];

/** Rows: seconds of the two corpora, and how memory grows with the number of documents. `folder`: with alihelp-zh and alihelp-en. */
export async function benchIngest(folder: string | undefined): Promise<Row[]> {
  if (folder === undefined) throw new Error('ingest needs --data <folder> with alihelp-zh and alihelp-en');
  const documents = linesOf<Text>(
    ['alihelp-zh', 'alihelp-en'].map((name) => join(folder, name)),
    'corpus.jsonl',
  );
  const series: IngestFigures[] = [];
  for (const multiple of multiples) series.push(await measure(documents, documents.length * multiple));
  const first = series[0] as IngestFigures;
  const last = series.at(-1) as IngestFigures;
  return [
    {
      name: 'ingest of the help corpora, seconds',
      measured: `${first.documentCount} documents, ${first.chunkCount} chunks, ${first.cpuSeconds.toFixed(0)} s of CPU`,
      ...{ value: first.seconds, sense: '≤', bar: 25 },
    },
    {
      name: 'ingest: peak memory of 4 times as many documents / of 1, without the index in memory',
      measured: series.map(describe).join('; '),
      ...{ value: withoutIndex(last) / withoutIndex(first), sense: '≤', bar: 1.2 },
    },
  ];
}

function withoutIndex({ peakOwnBytes, snapshotBytes }: IngestFigures): number {
  return peakOwnBytes - snapshotBytes;
}

function describe({ documentCount, ...sizes }: IngestFigures): string {
  const { beforeBytes, peakBytes, peakOwnBytes, laterBytes, snapshotBytes } = sizes;
  const [before, peak, own] = [beforeBytes, peakBytes, peakOwnBytes].map(megabytes);
  const [later, index] = [laterBytes, snapshotBytes].map(megabytes);
  return `${documentCount}: ${before} MB before, ${peak} at most, ${own} without pages of files, ${later} later; the index in memory ${index}`;
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

async function measure(documents: readonly Text[], total: number): Promise<IngestFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-bench-'));
  try {
    const file = join(folder, 'corpus.jsonl');
    for (const text of textsOf(documents, 0, total)) appendFileSync(file, `${JSON.stringify(text)}\n`);
    const child = fork(fileURLToPath(new URL('./ingest-process.ts', import.meta.url)), [file], {
      // As in the image.
      env: { ...process.env, MALLOC_ARENA_MAX: '2' },
    });
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`the process that ingests ended with code ${code}`);
    });
    const [figures] = (await Promise.race([once(child, 'message'), failed])) as [IngestFigures];
    await failed.catch(() => {});
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
