import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { afterEach, expect, test } from 'vitest';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { SourceSettingsSchema } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { HttpFailure } from '#kit/http/failure.ts';
import { openDatabase } from '#kit/storage/database.ts';
import { createSqliteThread } from '#kit/storage/sqlite/thread.ts';
import type { JobRecord, NewJob } from '../../jobs/job-store.ts';
import type { StagedFile } from '../../uploads/uploads.ts';
import { createAccessStore } from '../records/access-store.ts';
import { createEntryStore } from '../records/entry-store.ts';
import { createSourceStore, SourceLeaseLostError } from '../records/source-store.ts';
import { type SourcesSchema, sourcesMigrations } from '../records/source-table.ts';
import type { EntryAccess, Source } from '../source.ts';
import { noCounts } from './counts.ts';
import { sync } from './sync.ts';

const closes: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closes.splice(0).reverse()) await close();
});

/** A place in memory, and the sync of a source over it. */
async function createPlace(settings: MessageInitShape<typeof SourceSettingsSchema> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-sync-'));
  const thread = createSqliteThread();
  const db = await openDatabase<SourcesSchema>(thread, join(folder, 's.db'), sourcesMigrations.sqlite);
  closes.push(
    async () => rmSync(folder, { recursive: true }),
    () => thread.close(),
    () => db.destroy(),
  );
  let now = 1_800_000_000_000;
  const sources = createSourceStore(db, () => now, 10_000);
  const entries = createEntryStore(db, sources);
  const jobs = new Map<string, NewJob & { state: JobState; files: readonly StagedFile[] }>();
  let files: readonly StagedFile[] = [];
  const place = {
    texts: new Map<string, string>(),
    access: new Map<string, EntryAccess['groups']>(),
    /** Runs before an entry is read. */
    onFetch: async (_id: string) => {},
    isPartial: false,
    listsAll: true,
  };
  const source: Source = {
    get listsAll() {
      return place.listsAll;
    },
    async *changes(cursor) {
      const ids = [...place.texts.keys()].filter((id) => id > cursor);
      yield {
        entries: ids.map((id) => ({ id, version: place.texts.get(id) ?? '' })),
        ...(!place.listsAll && { cursor: ids.at(-1) ?? cursor }),
      };
      if (place.isPartial) throw new Error('cut off');
    },
    async *ids() {
      yield [...place.texts.keys()];
      if (place.isPartial) throw new Error('cut off');
    },
    async fetch(id) {
      await place.onFetch(id);
      const text = place.texts.get(id);
      if (text === undefined) return { kind: 'gone' };
      return { kind: 'content', content: { bytes: Buffer.from(text), mediaType: 'text/plain', url: '' } };
    },
    async *permissions() {
      yield [...place.access].map(([id, groups]) => ({ id, groups }));
    },
    close: async () => {},
  };
  const added = await sources.add({
    ...{ sourceId: 'src', tenant: 'acme', user: 'ann', groups: ['ops'] },
    settings: create(SourceSettingsSchema, {
      name: 's',
      corpus: 'help',
      adapter: 'x',
      maxRemovalPercent: 100,
      ...settings,
    }),
  });
  let idCount = 0;
  const deps = {
    sources,
    entries,
    access: createAccessStore(sources),
    clock: () => now,
    newId: () => `job${++idCount}`,
    jobAdded: async () => {},
    jobs: {
      async add(job: NewJob) {
        jobs.set(job.jobId, { ...job, state: JobState.SUCCEEDED, files });
      },
      list: async ({ jobId = '' }) => [jobs.get(jobId)].filter((job) => job !== undefined) as unknown as JobRecord[],
    },
    uploads: {
      async store(_: string, bytes: AsyncIterable<Uint8Array>, filesOf: () => readonly StagedFile[]) {
        await collect(bytes);
        files = filesOf();
      },
      remove: async () => {},
    },
  };
  return {
    ...place,
    place,
    jobs,
    entries,
    sources,
    advance: (ms: number) => {
      now += ms;
    },
    lease: async () => {
      await sources.change('acme', added.sourceId, { kind: 'requested', what: 'run' });
      const lease = await sources.take('me');
      if (lease === undefined) throw new Error('no lease');
      return lease;
    },
    /** Runs it once. Returns its counts and what its jobs write. */
    async run(given?: Awaited<ReturnType<typeof sources.take>>) {
      const lease = given ?? (await this.lease());
      const counts = noCounts();
      const jobIds: string[] = [];
      const problem = await sync({ lease, source, counts, jobIds, signal: new AbortController().signal }, deps).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (!(problem instanceof SourceLeaseLostError)) {
        await sources.end(lease, { kind: 'succeeded', nextRunAtMs: now + 1 }, async () => {});
      }
      const written = jobIds.flatMap((id) => jobs.get(id)?.files ?? []);
      const of = (isRemoved: boolean) => written.filter(({ fromSource }) => fromSource?.isRemoved === isRemoved);
      return { counts, problem, jobIds, files: of(false), removed: of(true).map(({ path }) => path) };
    },
  };
}

const groupsOf = (files: readonly StagedFile[]) =>
  Object.fromEntries(files.map(({ path, groups }) => [path.slice(2), groups]));
const own = 'source:src';
const mappings = [
  { sourceGroup: 'Support', group: 'support' },
  { sourceGroup: 'Legal', group: 'legal' },
];

test('who may see an entry follows the source: unknown means no one, and everyone is the default', async () => {
  const sync = await createPlace({
    syncPermissions: true,
    groupMappings: mappings,
    defaultAccess: { groups: ['staff'] },
  });
  const { place } = sync;
  for (const id of ['a', 'b', 'c', 'd']) place.texts.set(id, id);
  place.access.set('a', ['Support', 'Legal', 'Unknown']);
  place.access.set('b', 'everyone');
  place.access.set('c', ['Unknown']);
  const first = await sync.run();
  expect(groupsOf(first.files)).toEqual({ a: ['legal', 'support', own], b: ['staff', own], c: [own], d: [own] });
  expect(first.files.every(({ fromSource }) => fromSource?.hasFixedGroups)).toBe(true);
  expect([...sync.jobs.values()][0]).toMatchObject({ user: 'ann', groups: ['ops', own] });
  // Only what changed is written again; what the source no longer names is visible to no one.
  place.access.set('a', ['Legal']);
  place.access.delete('b');
  place.access.set('d', ['Support']);
  const second = await sync.run();
  expect(groupsOf(second.files)).toEqual({ a: ['legal', own], b: [own], d: ['support', own] });
  expect(second.counts).toMatchObject({ accessCount: 3, changedCount: 3 });
  expect((await sync.run()).files).toEqual([]);
});

test('documents that too many may see are removed while their entry cannot be read', async () => {
  const sync = await createPlace({ syncPermissions: true, groupMappings: mappings });
  const { place } = sync;
  for (const id of ['a', 'b']) {
    place.texts.set(id, id);
    place.access.set(id, ['Legal', 'Support']);
  }
  await sync.run();
  place.onFetch = async () => {
    throw new Error('the place is slow');
  };
  place.access.set('a', ['Legal']);
  const narrowed = await sync.run();
  expect(narrowed.removed).toEqual(['s/a']);
  place.onFetch = async () => {};
  const back = await sync.run();
  expect(groupsOf(back.files)).toEqual({ a: ['legal', own] });
  // A wider list is no reason to remove anything.
  place.onFetch = async () => {
    throw new Error('the place is slow');
  };
  place.access.set('a', 'everyone');
  expect((await sync.run()).removed).toEqual([]);
});

test('a listing that was cut off counts for nothing', async () => {
  const sync = await createPlace();
  const { place } = sync;
  for (const id of ['a', 'b']) place.texts.set(id, id);
  await sync.run();
  place.texts.delete('a');
  place.isPartial = true;
  for (let run = 0; run < 3; run++)
    expect(await sync.run()).toMatchObject({ removed: [], counts: { isListingComplete: false } });
  place.isPartial = false;
  expect((await sync.run()).removed).toEqual([]);
  expect((await sync.run()).removed).toEqual(['s/a']);
});

test('with a cursor only the new is asked for, and what failed is read again', async () => {
  const sync = await createPlace();
  const { place } = sync;
  place.listsAll = false;
  for (const id of ['a', 'b', 'c']) place.texts.set(id, id);
  let failing = 'b';
  place.onFetch = async (id) => {
    if (id === failing) throw new Error('broken');
  };
  expect(await sync.run()).toMatchObject({ counts: { failedCount: 1, changedCount: 2, isListingComplete: true } });
  place.texts.set('d', 'd');
  failing = '';
  const second = await sync.run();
  expect(second.files.map(({ path }) => path)).toEqual(['s/b', 's/d']);
  expect(second.counts).toMatchObject({ listedCount: 1, isListingComplete: false });
  // All ids are listed once a day.
  place.texts.delete('a');
  sync.advance(24 * 3_600_000);
  expect((await sync.run()).counts.isListingComplete).toBe(true);
  sync.advance(24 * 3_600_000);
  expect((await sync.run()).removed).toEqual(['s/a']);
});

test('an entry that is forbidden is one failure; a limit of rate or ten failures in a row end the run', async () => {
  const sync = await createPlace();
  const { place } = sync;
  for (let index = 10; index < 40; index++) place.texts.set(`e${index}`, `${index}`);
  const refuse = (status: number, ids: readonly string[]) => {
    place.onFetch = async (id) => {
      if (ids.includes(id)) throw new HttpFailure(status, undefined, new Headers());
    };
  };
  refuse(403, ['e12']);
  expect(await sync.run()).toMatchObject({
    problem: undefined,
    counts: {
      failedCount: 1,
      changedCount: 29,
      failures: [{ entryId: 'e12', message: expect.stringMatching(/403|refus|denied|permission/i) }],
    },
  });
  for (const id of place.texts.keys()) place.texts.set(id, `new ${id}`);
  refuse(429, ['e15']);
  const limited = await sync.run();
  expect(limited.problem).toMatchObject({ status: 429 });
  // What was read by then is not read again.
  expect(limited.files).toHaveLength(5);
  refuse(403, [...place.texts.keys()]);
  expect(await sync.run()).toMatchObject({ problem: { status: 403 }, counts: { failedCount: 10 } });
  refuse(403, []);
  expect(await sync.run()).toMatchObject({ problem: undefined, counts: { failedCount: 0, changedCount: 25 } });
});

test('a run that has lost its lease adds no job and records nothing', async () => {
  const sync = await createPlace();
  const { place, sources } = sync;
  place.texts.set('a', 'a');
  const lease = await sync.lease();
  let other: Awaited<ReturnType<typeof sources.take>>;
  place.onFetch = async () => {
    sync.advance(10_001);
    await sources.change('acme', 'src', { kind: 'requested', what: 'run' });
    other ??= await sources.take('another');
  };
  const lost = await sync.run(lease);
  expect(lost.problem).toBeInstanceOf(SourceLeaseLostError);
  expect(sync.jobs.size).toBe(0);
  expect((await sync.entries.known('src', ['a'])).get('a')).toMatchObject({ version: '', job_id: '' });
  place.onFetch = async () => {};
  expect((await sync.run(other)).files).toHaveLength(1);
});
