import { afterEach, beforeEach, expect, test } from 'vitest';
import { type InnerGroup, startInnerGroup } from '#kit/testing/group.ts';
import type { TestMesh } from '#kit/testing/mesh.ts';
import { retrieval } from '../index.ts';
import { createRetrievalClient, createShortcuts, createStandIns } from '../testing/retrieval.ts';

// Lists of corpora in the workers of a group: what a worker lists is what the owner would list.

let group: InnerGroup;
beforeEach(async () => {
  group = await startInnerGroup([retrieval, ...createStandIns().services], 2);
});
afterEach(() => group[Symbol.asyncDispose]());

const worker = (index: number) => group.workers[index] as TestMesh;
const clientOf = (index: number) => createRetrievalClient((contract) => worker(index).grpcClient(contract));

test('a change by one worker is listed by all when it returns', async () => {
  const options = await group.owner.as();
  const list = async (index: number) => {
    const { corpora } = await clientOf(index).listCorpora({}, options);
    return corpora.map(({ name, liveVersion, revision }) => ({ name, liveVersion, revision }));
  };
  const { build } = createShortcuts(clientOf(0), options);
  expect(await Promise.all([list(0), list(1)])).toEqual([[], []]);
  const versions = [];
  for (const [index, text] of ['red', 'green', 'blue'].entries()) {
    versions.push(await build('help', `build ${index}`, [['colour', text]], options));
    const [first, second] = await Promise.all([list(0), list(1)]);
    expect(first).toEqual(second);
    expect(first).toMatchObject([{ name: 'help', liveVersion: versions[index] }]);
    expect(await list(1)).toEqual(first);
  }
  const before = await list(1);
  await clientOf(0).rollbackVersion({ corpus: 'help', version: versions[1] ?? 0n }, options);
  const after = await list(1);
  expect(after).toMatchObject([{ liveVersion: versions[1] }]);
  expect(after[0]?.revision).not.toBe(before[0]?.revision);
  await clientOf(0).purgeDocuments({ corpus: 'help', documentIds: ['colour'] }, options);
  expect((await list(1))[0]?.revision).not.toBe(after[0]?.revision);
});
