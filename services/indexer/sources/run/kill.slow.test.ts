import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toJsonString } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { SourceRunState, SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { type Loopback, startLoopback } from '#kit/testing/http.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { confluence, type PlaceArticle } from '../../testing/api-places.ts';
import { createEmbeddingStandIn } from '../../testing/embedding-stand-in.ts';
import { createIndexStandIn, outage } from '../../testing/index-stand-in.ts';
import { type IndexerProcess, startIndexerProcess } from '../../testing/indexer-process.ts';

/** Time limit of a poll, long enough for a busy machine. */
const patient = { timeout: 300_000, interval: 100 };

const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const index = createIndexStandIn();
const embedding = createEmbeddingStandIn();
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-source-kill-'));
const articles = new Map<string, PlaceArticle>();
/** Requests that the place still answers before it kills the process; `undefined`: it answers all. */
let answersLeft: number | undefined;
let dependencies: TestMesh;
let place: Loopback;
let child: IndexerProcess;
/** Documents that must be live at any time. */
let stayed: string[] = [];
let killed = Promise.withResolvers<void>();

beforeAll(async () => {
  dependencies = await startTestMesh([index.definition, embedding.definition], {
    config: { identity: { privateKey } },
  });
  place = await startLoopback((request) => {
    if (answersLeft === undefined || answersLeft-- > 0)
      return confluence.answer(request, [...articles.values()], place.url);
    kill();
    return { status: 500, json: {} };
  });
  const address = `127.0.0.1:${dependencies.host.grpcPort}`;
  mkdirSync(join(folder, 'data'));
  const config = create(ConfigSchema, {
    dataDir: join(folder, 'data'),
    identity: { privateKey },
    grpc: { port: 0 },
    admin: { port: 0 },
    addresses: { retrieval: address, embedding: address },
    indexer: {
      sources: { allowedHosts: [new URL(place.url).host], secrets: [{ tenant: 'acme', name: 'KEY', value: 'k' }] },
    },
  });
  writeFileSync(join(folder, 'config.json'), toJsonString(ConfigSchema, config));
});
afterAll(async () => {
  child.kill();
  await child.gone();
  await place[Symbol.asyncDispose]();
  await dependencies.close();
  rmSync(folder, { recursive: true, force: true });
});

function kill() {
  child.kill();
  killed.resolve();
}

function start() {
  killed = Promise.withResolvers<void>();
  child = startIndexerProcess(join(folder, 'config.json'));
}

const ids = () => [...articles.keys()].map((name) => `docs/${confluence.idOf(name)}`).sort();
const live = () => [...index.live('help').keys()].sort();
const put = (name: string, text: string) =>
  articles.set(name, { name, text, change: (articles.get(name)?.change ?? 0) + 1 });

/** Kills the process after a number of answers of the place, or at a call of the index, which is not executed. */
function killAt(point: number | string | undefined): void {
  answersLeft = typeof point === 'number' ? point : undefined;
  index.intercept((rpc) => {
    if (rpc !== point) return;
    kill();
    throw outage();
  });
}

/** Waits for a kill, starts the next process, and kills that one at the next point; the last process is not killed. */
async function continueThrough(points: readonly (number | string)[]): Promise<Client<typeof SourceService>> {
  for (const point of [...points, undefined]) {
    await killed.promise;
    await child.gone();
    // However far the process came, it has removed nothing that the place still has.
    expect(live()).toEqual(expect.arrayContaining(stayed));
    killAt(point);
    start();
  }
  return child.clientOf(SourceService);
}

test('killed at any point of a run, the next process continues it: nothing is lost, and nothing removed too early', async () => {
  const options = await dependencies.as();
  for (const name of 'abcdefghij') put(name, `All about ${name}.`);
  start();
  let client = await child.clientOf(SourceService);
  // The first run is killed in the second part of its listing.
  killAt(4);
  const settings = {
    ...{ name: 'docs', corpus: 'help', adapter: 'confluence', requestsPerMinute: 60_000 },
    // No run by the schedule in this test.
    schedule: '0 0 29 2 *',
    settings: { ...confluence.settings(place.url), api_token: `$${'{KEY}'}` },
  };
  await client.createSource({ settings }, options).catch(() => {});
  // The next ones in one of the last entries, and in the job.
  client = await continueThrough([13, 'write']);
  const { sources } = await client.listSources({}, options);
  const sourceId = sources[0]?.sourceId ?? '';
  /** Waits until nothing runs, and returns the last run. */
  const settled = async () => {
    await expect
      .poll(async () => {
        const { runs } = await client.listSourceRuns({ sourceId }, options);
        const { jobs } = await (await child.client()).listJobs({ corpus: 'help' }, options);
        const isOver = jobs.every(({ state }) => state === JobState.SUCCEEDED);
        return isOver && runs[0]?.state === SourceRunState.SUCCEEDED;
      }, patient)
      .toBe(true);
    return (await client.listSourceRuns({ sourceId }, options)).runs[0];
  };
  await settled();
  expect(live()).toEqual(ids());

  articles.delete('c');
  put('b', 'Another text of b.');
  put('k', 'All about k.');
  stayed = ids().filter((id) => id !== `docs/${confluence.idOf('k')}`);
  // The listing of a run that was killed is no listing: "c" stays after the first complete one.
  killAt(3);
  await client.runSource({ sourceId, full: true }, options);
  client = await continueThrough([]);
  await settled();
  expect(live()).toEqual([...ids(), `docs/${confluence.idOf('c')}`].sort());
  expect(index.live('help').get(`docs/${confluence.idOf('b')}`)?.chunks[0]?.text).toContain('Another text');

  killAt('remove');
  await client.runSource({ sourceId, full: true }, options);
  client = await continueThrough([]);
  expect(await settled()).toBeDefined();
  await expect.poll(live, patient).toEqual(ids());
  expect(index.building()).toEqual([]);
}, 900_000);
