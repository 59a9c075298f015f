import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import type { Change, IndexRow } from '../stores/index-row.ts';
import { changeStatements, countStatement, type RowIndex, storeMigrations } from './rows.ts';

// The statement that finds the rows is what the index of a store runs.
const index: RowIndex<IndexRow> = {
  insert: () => [],
  remove: (select) => [select],
  setRemovedIn: (select) => [select],
  setAclId: (select) => [select],
};
const documentIds = ['d1', 'd2'];
const changes: Change<IndexRow>[] = [
  { kind: 'replace', version: 3, documentIds, rows: [] },
  { kind: 'purge', documentIds },
  { kind: 'access', documentIds, version: 3, aclId: 2 },
  { kind: 'forget', keys: [1, 2] },
];

test.each(changes)('a change ($kind) finds rows by their documents or keys, and reads no others', (change) => {
  const db = new DatabaseSync(':memory:');
  for (const migration of storeMigrations('')) db.exec(migration);
  for (const { sql, params } of changeStatements(1, change, index)) {
    const steps = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params);
    const reads = steps.map(({ detail }) => String(detail)).filter((detail) => / chunk\b/.test(detail));
    expect(reads).not.toEqual([]);
    for (const read of reads) expect(read).toMatch(/document_id=\?|PRIMARY KEY \(rowid=\?\)/);
  }
  db.close();
});

test('the number of rows of each version is that of a count, through all changes, also in a file of an earlier release', () => {
  const random = seededRandom(7);
  const any = (count: number) => Math.floor(random() * count);
  const db = new DatabaseSync(':memory:');
  const [first, second] = storeMigrations('') as [string, string];
  db.exec(first);
  let key = 0;
  let newest = 1;
  const apply = (corpusId: number, change: Change<IndexRow>) => {
    for (const { sql, params } of changeStatements(corpusId, change, {
      ...index,
      remove: () => [],
      setRemovedIn: () => [],
    }))
      db.prepare(sql).run(...params);
  };
  const row = (documentId: string): IndexRow => {
    const fields = { documentId, chunkId: `${documentId}#${++key}`, aclId: 1, language: 0 };
    return { ...fields, key, updatedMs: undefined, attributes: { kind: 'help' } };
  };
  const write = (corpusId: number) => {
    const written = [...new Set(Array.from({ length: 5 }, () => `d${any(20)}`))];
    apply(corpusId, {
      kind: 'replace',
      version: newest,
      documentIds: written,
      rows: written.flatMap((id) => [row(id), row(id)]),
    });
  };
  const expectCounts = () => {
    for (const corpusId of [1, 2, 3]) {
      for (let version = newest; version > Math.max(0, newest - 3); version--) {
        const counted = countStatement(corpusId, version);
        const plain = 'SELECT count(*) AS count FROM chunk WHERE corpus_id = ? AND added_in <= ? AND removed_in > ?';
        expect(db.prepare(counted.sql).get(...counted.params)).toEqual(
          db.prepare(plain).get(corpusId, version, version),
        );
      }
    }
  };
  write(1);
  write(2);
  db.exec(second);
  expectCounts();
  for (let turn = 0; turn < 60; turn++) {
    const corpusId = 1 + any(2);
    if (turn % 3 === 0) newest++;
    write(corpusId);
    if (turn % 4 === 0) apply(corpusId, { kind: 'purge', documentIds: [`d${any(20)}`] });
    if (turn % 5 === 0) apply(corpusId, { kind: 'forget', keys: [any(key)] });
    if (turn % 6 === 0) for (const id of [1, 2]) apply(id, { kind: 'retain', oldest: newest - 2, newest });
    expectCounts();
  }
  db.close();
});
