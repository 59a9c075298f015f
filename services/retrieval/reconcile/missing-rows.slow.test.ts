import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type RetrievalMesh, type ShortDocument, startRetrieval } from '../testing/retrieval.ts';

const help: ShortDocument[] = [
  ['returns', 'apple returns are free'],
  ['shipping', 'apple shipping takes five days'],
];

let retrieval: RetrievalMesh | undefined;
const folders: string[] = [];
afterEach(async () => {
  await retrieval?.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Starts with two corpora in a folder, stops, deletes what `lost` names, and starts again. */
async function startAfterLoss(lost?: string): Promise<RetrievalMesh> {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-missing-'));
  folders.push(dataDir);
  const first = await startRetrieval({ dataDir });
  await first.build('help', 'build-1', help);
  await first.build('staff', 'build-1', [['internal', 'apple discounts', { access: { groups: ['staff'] } }]]);
  await first.close(true);
  if (lost !== undefined) rmSync(join(dataDir, 'retrieval', lost), { recursive: true, force: true });
  retrieval = await startRetrieval({ dataDir });
  return retrieval;
}

const reasonsOf = async ({ ask }: RetrievalMesh) =>
  (await ask('apple')).fused.degradations.map(({ stage, reason }) => [stage, reason]);
const lostOf = async ({ mesh }: RetrievalMesh) => {
  const metric = await mesh.host.metrics.registry.getSingleMetric('ragmesh_index_missing_chunks')?.get();
  return metric?.values.map(({ labels, value }) => [labels.store, value]);
};
const degradedOf = ({ mesh }: RetrievalMesh) =>
  mesh.host.readiness().flatMap(({ service, degraded }) => (service === 'retrieval' ? degraded : []));

test.each([
  ['keywords', 'keyword', Stage.KEYWORD_SEARCH],
  ['vectors', 'vector', Stage.VECTOR_SEARCH],
])(
  'a store that lost its file (%s) is named in answers, readiness, log and metric, until the documents are uploaded again',
  async (folder, store, stage) => {
    const mesh = await startAfterLoss(folder);
    const reason = `the ${store} store lost a part of corpus "help"`;
    await mesh.ask('apple');
    await expect.poll(() => reasonsOf(mesh)).toContainEqual([stage, reason]);
    expect((await mesh.ask('apple', {}, await mesh.as({ roles: [Role.READER] }))).fused.degradations).toMatchObject([
      { stage, reason },
    ]);
    expect(await lostOf(mesh)).toContainEqual([store, 3]);
    await expect
      .poll(() => degradedOf(mesh).join())
      .toContain(`the ${store} store lacks 3 chunks in 2 corpora: upload`);
    const notReady = () => mesh.mesh.host.readiness().find(({ service }) => service === 'retrieval')?.notReady;
    await expect.poll(notReady, { timeout: 30_000 }).toBeUndefined();

    await mesh.build('help', 'build-2', help);
    expect(await reasonsOf(mesh)).not.toContainEqual([stage, reason]);
    expect(await lostOf(mesh)).toContainEqual([store, 1]);
  },
);

test('of whole stores nothing is said', async () => {
  const mesh = await startAfterLoss();
  await mesh.ask('apple');
  expect(await reasonsOf(mesh)).toEqual([]);
  expect(await lostOf(mesh)).toEqual([
    ['vector', 0],
    ['keyword', 0],
  ]);
});
