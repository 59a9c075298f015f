import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { adapter } from '../adapters/vector-store/sqlite/index.ts';
import { createSqliteThreads } from '../sqlite/threads.ts';
import type { Change } from '../stores/index-row.ts';
import { toUnitVector } from '../stores/unit-vector.ts';
import type { VectorRow } from '../stores/vector-store.ts';
import { createSureSnapshots } from '../testing/snapshots.ts';
import { createSnapshots } from './snapshots.ts';

// A corpus whose vectors do not fit in memory: only their codes are there, and the vectors of the best rows are read from the database.

const space = { model: 'm', dimensions: 64 };
const rowCount = 600;
/** Room for the codes and the rows, not for the vectors. */
const maxBytes = 220_000;
const notAborted = new AbortController().signal;
const random = seededRandom(1);

function anyVector(): Float32Array<ArrayBuffer> {
  return toUnitVector(
    Float32Array.from({ length: space.dimensions }, () => random() - 0.5),
  ) as Float32Array<ArrayBuffer>;
}

function rowOf(key: number): VectorRow {
  const documentId = `d${key % 200}`;
  const fields = { documentId, chunkId: `${documentId}#${key}`, aclId: 1 + (key % 3), language: key % 2 };
  return { ...fields, key, updatedMs: undefined, attributes: {}, vector: anyVector() };
}

function written(version: number, rows: readonly VectorRow[]): Change<VectorRow> {
  return { kind: 'replace', version, documentIds: [...new Set(rows.map(({ documentId }) => documentId))], rows };
}

test('codes in memory and vectors in the database find what the database finds, through changes and merges', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-stored-'));
  const threads = createSqliteThreads(2);
  const inMemory = createSureSnapshots(maxBytes);
  const open = (name: string, snapshots = createSnapshots(0)) =>
    adapter.create({}, { folder: join(folder, name), threads, snapshots });
  const stores = [await open('memory', inMemory), await open('files')];
  const apply = async (change: Change<VectorRow>) => {
    for (const store of stores) await store.apply('acme', 1, space, change);
  };
  const compare = async (version: number, documentIds: readonly string[] = []) => {
    const filter = {
      documentIds,
      languages: [1],
      attributes: [],
      updatedFromMs: undefined,
      updatedBeforeMs: undefined,
    };
    for (let turn = 0; turn < 12; turn++) {
      const scope = {
        corpora: [{ corpusId: 1, version }],
        aclIds: turn % 2 === 0 ? [1, 2, 3] : [2],
        filter: turn % 3 === 0 || documentIds.length > 0 ? filter : undefined,
      };
      const query = { space, vector: anyVector(), scope, limit: 20 };
      const [found, expected] = await Promise.all(stores.map((store) => store.search('acme', query, notAborted)));
      expect(found?.map(({ key, documentId }) => [key, documentId])).toEqual(
        expected?.map(({ key, documentId }) => [key, documentId]),
      );
      for (const [index, { score }] of (found ?? []).entries())
        expect(score).toBeCloseTo(expected?.[index]?.score ?? 2, 5);
    }
  };
  try {
    await apply(
      written(
        1,
        Array.from({ length: rowCount }, (_, index) => rowOf(index + 1)),
      ),
    );
    await compare(1);
    await compare(1, ['d3']);
    await apply({ kind: 'purge', documentIds: Array.from({ length: 30 }, (_, index) => `d${index}`) });
    await compare(1);
    // Replaces many rows, in more segments than stay separate.
    for (let part = 0; part < 10; part++) {
      await apply(
        written(
          2,
          [1, 2, 3, 4].map((offset) => rowOf(rowCount + 40 + part * 4 + offset)),
        ),
      );
    }
    await compare(1);
    await compare(2);
    await apply({ kind: 'retain', oldest: 2, newest: 2 });
    await inMemory.idle();
    await compare(2);
  } finally {
    for (const store of stores) await store.close();
    await threads.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
