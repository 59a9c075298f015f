import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SourceSettingsSchema } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { createAccessStore } from '../sources/records/access-store.ts';
import { createEntryStore } from '../sources/records/entry-store.ts';
import { createSourceStore, type SourceLease, SourceLeaseLostError } from '../sources/records/source-store.ts';
import type { SourcesSchema } from '../sources/records/source-table.ts';

/** Records under test. */
export interface SourceRecordsCase {
  /** Replicas that use the records. */
  replicaCount: number;
  /** Opens the records, as a replica does. */
  open(): Promise<Database<SourcesSchema>>;
  close(): Promise<void>;
}

const leaseMs = 10_000;

/** The contract suite of the records of sources. */
export function sourceRecordsSuite(name: string, createCase: () => Promise<SourceRecordsCase>): void {
  describe(`the records of sources in ${name}`, () => {
    let records: SourceRecordsCase;
    let replicas: ReturnType<typeof toReplica>[];
    let now: number;
    const toReplica = (db: Database<SourcesSchema>) => {
      const sources = createSourceStore(db, () => now, leaseMs);
      return { sources, entries: createEntryStore(db, sources), access: createAccessStore(sources) };
    };
    beforeEach(async () => {
      now = 1_800_000_000_000;
      records = await createCase();
      replicas = [];
      for (let count = 0; count < records.replicaCount; count++) replicas.push(toReplica(await records.open()));
    });
    afterEach(() => records.close());
    const first = () => replicas[0] as (typeof replicas)[number];
    const add = (sourceId: string, tenant = 'acme') => {
      const settings = create(SourceSettingsSchema, { name: sourceId, corpus: 'help', adapter: 'folder' });
      return first().sources.add({ sourceId, tenant, settings, user: 'ann', groups: ['g'] });
    };
    const lease = async (sourceId = 's'): Promise<SourceLease> => {
      await first().sources.change('acme', sourceId, { kind: 'requested', what: 'run' });
      const taken = await first().sources.take('me');
      if (taken === undefined) throw new Error('no lease');
      return taken;
    };

    test('every due source is leased by one of the replicas that ask at the same time', async () => {
      const ids = Array.from({ length: 12 }, (_, index) => `s${index}`);
      for (const id of ids) await add(id);
      const taken = await Promise.all(
        Array.from({ length: 24 }, (_, index) => replicas[index % replicas.length]?.sources.take(`r${index}`)),
      );
      const leased = taken.flatMap((each) => each?.source.sourceId ?? []);
      // A replica may find a row that another one has just locked, and looks again.
      for (let look = 0; look < 12; look++)
        leased.push(...((await first().sources.take('late'))?.source.sourceId ?? '').split(' '));
      expect(leased.filter((id) => id !== '').sort()).toEqual([...ids].sort());
    });

    test('a lease that has expired is another one’s, and the first writes nothing more', async () => {
      await add('s');
      const old = await lease();
      expect(await first().sources.take('other')).toBeUndefined();
      now += leaseMs + 1;
      await first().sources.change('acme', 's', { kind: 'requested', what: 'run' });
      const other = await (replicas.at(-1) ?? first()).sources.take('other');
      expect(other?.fence).toBe(old.fence + 1);
      const { sources, entries, access } = first();
      for (const write of [
        () => entries.see(old, ['a'], new Set()),
        () => entries.write(old, 'j', [], ['a']),
        () => entries.countMissing(old),
        () => access.setAccess(old, new Map([['a', '[]']])),
        () => sources.renew(old),
        () => sources.advance(old, { kind: 'advanced', cursor: 'c' }),
      ]) {
        await expect(write()).rejects.toBeInstanceOf(SourceLeaseLostError);
      }
      expect(await entries.count('s')).toBe(0);
      expect((await sources.find('acme', 's')).state.cursor).toBe('');
      await sources.seize('acme', 's');
      await expect(sources.renew(other as SourceLease)).rejects.toBeInstanceOf(SourceLeaseLostError);
    });

    test('entries are new, read, missing, removed and back', async () => {
      await add('s');
      const { entries, sources } = first();
      const one = await lease();
      const ids = Array.from({ length: 1200 }, (_, index) => `e${index}`);
      await entries.see(one, ids, new Set(ids));
      expect((await entries.unread('s', '', 5000)).length).toBe(1200);
      const written = ids.map((id) => ({ id, version: '1', validator: '', contentHash: 'h', writtenAccess: '[]' }));
      await entries.write(one, 'j1', written, []);
      expect(await entries.openJobs('s')).toEqual(['j1']);
      await entries.settle(one, 'j1', true);
      expect(await entries.openJobs('s')).toEqual([]);
      expect(await entries.countMissing(one)).toEqual({ entryCount: 1200, confirmedCount: 0 });
      await sources.end(one, { kind: 'succeeded', nextRunAtMs: now }, async () => {});
      for (const confirmedCount of [0, 2]) {
        const next = await lease();
        await entries.see(next, ids.slice(2), new Set());
        expect(await entries.countMissing(next)).toEqual({ entryCount: 1200, confirmedCount });
        await sources.end(next, { kind: 'succeeded', nextRunAtMs: now }, async () => {});
      }
      expect(await entries.confirmed('s', '', 10)).toEqual(['e0', 'e1']);
      const last = await lease();
      await entries.write(last, 'j2', [], ['e0', 'e1']);
      expect(await entries.confirmed('s', '', 10)).toEqual([]);
      // One is listed again before the job has ended: the job does not take it away.
      await entries.see(last, ['e1'], new Set());
      await entries.settle(last, 'j2', true);
      expect([...(await entries.known('s', ['e0', 'e1'])).keys()]).toEqual(['e1']);
      expect((await entries.unread('s', '', 10)).map((row) => row.entry_id)).toEqual(['e1']);
      await entries.write(last, 'j3', [{ ...(written[5] as (typeof written)[number]), version: '2' }], ['e7']);
      await entries.settle(last, 'j3', false);
      const after = await entries.known('s', ['e5', 'e7']);
      expect(after.get('e5')).toMatchObject({ version: '', content_hash: '', job_id: '' });
      expect(after.get('e7')).toMatchObject({ version: '1', is_removing: 0, job_id: '' });
    });

    test('access that changes makes an entry unread, and what a pass does not name is forgotten', async () => {
      await add('s');
      const { entries, access, sources } = first();
      const one = await lease();
      await access.setAccess(
        one,
        new Map([
          ['a', '["x"]'],
          ['b', '["x"]'],
        ]),
      );
      await entries.read(
        one,
        ['a', 'b'].map((id) => ({ id, version: '1', validator: '' })),
      );
      expect(await access.forgetAccess(one)).toBe(0);
      await sources.end(one, { kind: 'succeeded', nextRunAtMs: now }, async () => {});
      const two = await lease();
      expect(await access.setAccess(two, new Map([['a', '["x"]']]))).toBe(0);
      expect(await access.forgetAccess(two)).toBe(1);
      expect((await entries.known('s', ['b'])).get('b')).toMatchObject({ access: null, version: '' });
      expect((await entries.known('s', ['a'])).get('a')).toMatchObject({ access: '["x"]', version: '1' });
    });

    test('names are unique in a tenant, and a source of another tenant is absent', async () => {
      await add('s');
      const settings = create(SourceSettingsSchema, { name: 's', corpus: 'help', adapter: 'folder' });
      const again = { sourceId: 't', settings, user: 'bob', groups: [] };
      await expect(first().sources.add({ ...again, tenant: 'acme' })).rejects.toThrow('a source "s" exists');
      await first().sources.add({ ...again, tenant: 'other' });
      await expect(first().sources.find('other', 's')).rejects.toThrow('no source "s"');
      await expect(first().sources.change('other', 's', { kind: 'paused' })).rejects.toThrow('no source "s"');
      expect((await first().sources.list({ tenant: 'acme', limit: 10 })).map(({ sourceId }) => sourceId)).toEqual([
        's',
      ]);
      await first().sources.remove('s');
      expect(await first().sources.list({ tenant: 'acme', limit: 10 })).toEqual([]);
    });
  });
}
