import { join } from 'node:path';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { adapter as keywordAdapter } from '../adapters/keyword-store/sqlite/index.ts';
import { adapter as vectorAdapter } from '../adapters/vector-store/sqlite/index.ts';
import type { ImageOutcome } from '../snapshots/images/images.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import type { SqliteThreads } from '../sqlite/threads.ts';
import type { Change } from '../stores/index-row.ts';
import type { KeywordRow } from '../stores/keyword-store.ts';
import type { VectorRow } from '../stores/vector-store.ts';
import { createSureSnapshots } from './snapshots.ts';

// The stores of one corpus whose images are written all the time, and a run of changes that is the same in every process.

/** A row of both stores. */
export type WorldRow = VectorRow & KeywordRow;

/** The space of its vectors. */
export const worldSpace = { model: 'm', dimensions: 4 };

const words = ['sun', 'pear', 'corn', 'plum', 'fig', 'lamp'];
const rowsOfStep = 5;
/** Keys that a step may take: an unfinished step is made again with others. */
const keysOfStep = 100;

/** Returns the change of a step, from 1 on. `attempt`: how often the step has begun before. */
export function changeOfStep(step: number, attempt: number): Change<WorldRow> {
  const random = seededRandom(step);
  const any = (count: number) => Math.floor(random() * count);
  if (step % 4 === 0) return { kind: 'purge', documentIds: [`d${any(12)}`, `d${any(12)}`] };
  if (step % 7 === 0) return { kind: 'access', version: 1, documentIds: [`d${any(12)}`], aclId: 1 + any(2) };
  const firstKey = step * keysOfStep + attempt * rowsOfStep;
  const rows = Array.from({ length: rowsOfStep }, (_, index): WorldRow => {
    const documentId = `d${any(12)}`;
    const key = firstKey + index;
    const angle = random() * 3;
    return {
      ...{
        key,
        documentId,
        chunkId: `${documentId}#${key}`,
        aclId: 1,
        language: 0,
        updatedMs: undefined,
        attributes: {},
      },
      ...{ title: '', text: Array.from({ length: 1 + any(6) }, () => words[any(words.length)]).join(' ') },
      vector: Float32Array.of(Math.cos(angle), Math.sin(angle), 0, 0),
    };
  });
  return { kind: 'replace', version: 1, documentIds: [...new Set(rows.map(({ documentId }) => documentId))], rows };
}

/** Opens the stores; every corpus has an image. */
export async function openWorld(
  folder: string,
  threads: SqliteThreads,
  newId: () => string,
  onOutcome: (outcome: ImageOutcome) => void = () => {},
) {
  const newSnapshots = () => createSureSnapshots(undefined, { images: { newId, minRows: 1, onOutcome } });
  const deps = (name: string, snapshots: Snapshots) => ({ folder: join(folder, name), threads, snapshots });
  const held = [newSnapshots(), newSnapshots()] as const;
  const vectors = await vectorAdapter.create({}, deps('vectors', held[0]));
  const keywords = await keywordAdapter.create({}, deps('keywords', held[1]));
  const signal = new AbortController().signal;
  const scope = { corpora: [{ corpusId: 1, version: 1 }], aclIds: [1], filter: undefined };
  const asked = [
    { word: 'sun', weight: 1 },
    { word: 'pear', weight: 2 },
  ];
  return {
    async apply(change: Change<WorldRow>) {
      await vectors.apply('acme', 1, worldSpace, change);
      await keywords.apply('acme', 1, change);
    },
    /** Returns the keys that both legs find, best first. */
    async find(limit: number) {
      const vector = Float32Array.of(1, 0, 0, 0);
      const near = await vectors.search('acme', { space: worldSpace, vector, scope, limit }, signal);
      const byWord = await keywords.search('acme', { text: 'sun pear', words: asked, scope, limit }, signal);
      return { near: near.map(({ key }) => key), words: byWord.map(({ key }) => key) };
    },
    asked,
    async idle() {
      for (const snapshots of held) await snapshots.idle();
    },
    async close() {
      for (const store of [vectors, keywords]) await store.close();
    },
  };
}
