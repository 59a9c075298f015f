import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { accessVersionSuite, allOf, seenBy } from '../suites/access-versions.suite.ts';
import { startRetrieval } from '../testing/retrieval.ts';

const staff = { access: { groups: ['staff'] } };

accessVersionSuite(startRetrieval);

test('a catalog of an earlier release, with a list for each version, is brought to one list when it is opened', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-access-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const first = await startRetrieval({ dataDir });
  await first.build('help', 'build-1', [['plan', 'apple plan']]);
  await first.build('help', 'build-2', [['plan', 'apple plan', staff]]);
  await first.client.rollbackVersion({ corpus: 'help', version: 1n }, await first.as());
  await first.close(true);
  const change = (part: string, ...statements: string[]) => {
    const folder = join(dataDir, 'retrieval', part);
    const db = new DatabaseSync(join(folder, readdirSync(folder).find((name) => name.endsWith('.db')) as string));
    for (const statement of statements) db.exec(statement);
    db.close();
  };
  // As it was: version 1 open, version 2 closed.
  const open = `SET acl_id = (SELECT id FROM acl WHERE groups = '["*"]') WHERE added_in = 1`;
  const counters = ['last_key', 'generation', 'purge_count'].map((name) => `ALTER TABLE tenant DROP COLUMN ${name}`);
  const added = ['updated_ms', 'valid_from_ms', 'valid_until_ms'];
  const columns = [
    ...counters,
    ...added.map((name) => `ALTER TABLE document DROP COLUMN ${name}`),
    ...['regions', 'boost', 'context'].map((name) => `ALTER TABLE chunk DROP COLUMN ${name}`),
  ];
  const earlier = ['DROP TABLE access_change', 'DROP TABLE trial', ...columns, 'PRAGMA user_version = 2'];
  change('catalog', `UPDATE document ${open}`, ...earlier);
  change('keywords', 'UPDATE chunk SET acl_id = 1 WHERE added_in = 1');
  const second = await startRetrieval({ dataDir });
  onTestFinished(() => second.close());
  expect(await seenBy(second, 'help', [], ['plan#0'])).toMatchObject({ legs: [], passages: [], documentCount: 0 });
  expect(await seenBy(second, 'help', ['staff'], ['plan#0'])).toEqual(allOf('plan'));
  await second.build('help', 'build-3', [['more', 'apple more', staff]]);
  expect(await seenBy(second, 'help', ['staff'], ['plan#0', 'more#0'])).toEqual(allOf('more', 'plan'));
  expect(await second.count('help')).toEqual([2, 2, 2, 2, 0]);
});
