import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { Change, IndexRow } from '../stores/index-row.ts';
import { changeStatements, type RowIndex, rowSchema } from './rows.ts';

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
  db.exec(rowSchema);
  for (const { sql, params } of changeStatements(1, change, index)) {
    const steps = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params);
    const reads = steps.map(({ detail }) => String(detail)).filter((detail) => / chunk\b/.test(detail));
    expect(reads).not.toEqual([]);
    for (const read of reads) expect(read).toMatch(/document_id=\?|PRIMARY KEY \(rowid=\?\)/);
  }
  db.close();
});
