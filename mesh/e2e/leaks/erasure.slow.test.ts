import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import {
  checkRest,
  eraseAll,
  holdAndExport,
  plant,
  planted,
  plantedFiles,
  plantedIn,
} from '../testing/erasure-world.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';

test('after an erasure no byte of the data folder and no line of the log has a planted value', async () => {
  const logged: string[] = [];
  const log = createLogger('trace', { write: (line: string) => void logged.push(line) } as never);
  const first = await startWholeMesh({ sample: false, log });
  const { dataDir } = first;
  await plant(first);
  // The search would find them.
  const before = new Set(Object.values(plantedFiles(dataDir)).flat());
  expect(before).toEqual(new Set(Object.values(planted)));
  await holdAndExport(first);
  const found = await eraseAll(first);
  expect(found).toEqual({
    user: {
      'accounts.own_keys': 1,
      'accounts.made_keys': 1,
      'accounts.limits': 2,
      'cache.answers': 2,
      'chat.sessions': 2,
      'chat.answers': 2,
      'chat.feedback': 2,
      'chat.curated_authors': 0,
      'indexer.editors': 0,
      'audit.sealed_entries': 3,
      // The look of an operator as the user, and the limit of the user.
      'audit.clear_entries': 2,
      'audit.ledger': expect.any(Number),
    },
    document: {
      'retrieval.documents': 1,
      'retrieval.passages': 1,
      'indexer.contents': 1,
      'indexer.edits': 0,
      'indexer.originals': 0,
      'indexer.notes': 0,
      'indexer.uploads': 0,
      // The cache knows documents by their id alone: that of the other corpus goes too.
      'cache.answers': 1,
      'chat.answers': 0,
      'chat.feedback': 0,
      'audit.entries': 2,
    },
  });
  expect(plantedFiles(dataDir)).toEqual({});
  await checkRest(first);
  await first.close(true);
  expect(plantedFiles(dataDir)).toEqual({});
  // Names of users are in the log of calls; their words are not.
  const { user: _user, ...words } = planted;
  expect(plantedIn(logged.join('')).filter((value) => Object.values(words).includes(value))).toEqual([]);
  const second = await startWholeMesh({ sample: false, dataDir });
  await checkRest(second);
  await second.close(true);
  rmSync(dataDir, { recursive: true });
});
