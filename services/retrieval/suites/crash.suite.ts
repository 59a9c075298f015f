import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { VersionState } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { createSqliteThreads, type SqliteThreads } from '../sqlite/threads.ts';
import type { LocalRetrieval, OpenRetrieval } from '../testing/local-stores.ts';
import { failureOf, type ShortDocument, type Stores } from '../testing/retrieval.ts';

/** Tests what is left of changes that were interrupted, over a way to open the service. */
export function crashSuite(openRetrieval: OpenRetrieval): void {
  let threads: SqliteThreads;
  let dataDir: string;
  beforeAll(() => {
    threads = createSqliteThreads(1);
  });
  afterAll(() => threads.close());
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-crash-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));
  const open = (options?: Parameters<OpenRetrieval>[2], folder = dataDir) => openRetrieval(folder, threads, options);

  const documentsOf = (count: number): ShortDocument[] =>
    Array.from({ length: count }, (_, index) => [`d${index}`, `apple ${index}`]);

  test('a build that was interrupted continues under the same id, in the same version', async () => {
    const first = await open();
    await first.build('help', 'build-1', documentsOf(10));
    const version = await first.begin('help', 'build-2');
    await first.write('help', version, [['d3', 'pear'], ...documentsOf(30).slice(20)]);
    await first.client.removeDocuments({ corpus: 'help', version, documentIds: ['d4'] });
    await first.close();

    const second = await open();
    expect((await second.ask('apple', { topK: 100 })).documentIds).toHaveLength(10);
    expect(await second.begin('help', 'build-2')).toBe(version);
    expect(await second.count('help', version)).toEqual([19, 19, 19, 19, 0]);
    await second.write('help', version, documentsOf(40));
    await second.publish('help', version);
    expect(await second.count('help')).toEqual([40, 40, 40, 40, 0]);
    await second.close();
  });

  test('a store that was lost is filled again by the next build', async () => {
    const first = await open();
    await first.build('help', 'build-1', documentsOf(5));
    await first.close();
    rmSync(join(dataDir, 'vectors'), { recursive: true });

    const second = await open();
    const version = await second.begin('help', 'build-2');
    const error = await failureOf(second.publish('help', version));
    expect(String(error)).toContain('write them again');
    const pages = await collect(second.client.listIndexedDocuments({ corpus: 'help', version }));
    const changed = pages.flatMap(({ documents }) => documents).filter(({ contentHash }) => contentHash.length === 0);
    expect(changed).toHaveLength(5);
    await second.write('help', version, documentsOf(5));
    await second.publish('help', version);
    expect(await second.count('help')).toEqual([5, 5, 5, 5, 0]);
    await second.close();
  });

  test('rows that no catalog knows are counted, and go with the next version', async () => {
    let stores: Stores | undefined;
    const wrap = (given: Stores) => {
      stores = given;
      return given;
    };
    const retrieval = await open({ wrap });
    await retrieval.build('help', 'build-1', documentsOf(3));
    const row = {
      key: 999,
      chunkId: 'x',
      documentId: 'x',
      aclId: 1,
      language: 0,
      updatedMs: undefined,
      attributes: {},
    };
    const change = { kind: 'replace', version: 1, documentIds: ['x'] } as const;
    await stores?.keywords.apply('acme', 1, { ...change, rows: [{ ...row, title: '', text: 'apple' }] });
    expect(await retrieval.count('help')).toEqual([3, 3, 3, 4, 1]);
    expect((await retrieval.ask('apple')).documentIds).not.toContain('x');
    await retrieval.build('help', 'build-2', [['d9', 'apple']]);
    expect(await retrieval.count('help')).toEqual([4, 4, 4, 4, 0]);
    await retrieval.close();
  });

  describe('after a failure that was not retried', () => {
    let isBroken = false;
    const broken = async <T>(work: () => Promise<T>): Promise<T> => {
      if (isBroken) throw unavailable('store', 'crashed');
      return work();
    };
    let stores: Stores | undefined;
    const wrap = (given: Stores): Stores => {
      stores = given;
      const { vectors, keywords } = given;
      return {
        vectors: { ...vectors, apply: (...args) => broken(() => vectors.apply(...args)) },
        keywords: { ...keywords, apply: (...args) => broken(() => keywords.apply(...args)) },
      };
    };
    /** Builds three documents, runs a change that the stores do not carry out, and starts over. */
    const breakDuring = async (work: (retrieval: LocalRetrieval) => Promise<unknown>): Promise<LocalRetrieval> => {
      const retrieval = await open({ wrap });
      await retrieval.build('help', 'build-1', documentsOf(3));
      isBroken = true;
      expect(String(await failureOf(work(retrieval)))).toContain('crashed');
      isBroken = false;
      await retrieval.close();
      return open({ wrap });
    };

    test('purged documents are gone all the same', async () => {
      const purge = { corpus: 'help', documentIds: ['d1'] };
      const retrieval = await breakDuring((before) => before.client.purgeDocuments(purge));
      const { legs, documentIds } = await retrieval.ask('apple');
      expect(documentIds.toSorted()).toEqual(['d0', 'd2']);
      for (const { hits } of legs) expect(hits).toHaveLength(2);
      await expect.poll(() => retrieval.count('help')).toEqual([2, 2, 2, 2, 0]);
      await retrieval.close();
    });

    test('a purge that could not reach the stores takes effect immediately', async () => {
      const retrieval = await open({ wrap });
      await retrieval.build('help', 'build-1', documentsOf(3));
      isBroken = true;
      await failureOf(retrieval.client.purgeDocuments({ corpus: 'help', documentIds: ['d1'] }));
      const { legs, documentIds } = await retrieval.ask('apple');
      expect(documentIds.toSorted()).toEqual(['d0', 'd2']);
      expect(legs.flatMap(({ hits }) => hits.map(({ documentId }) => documentId))).not.toContain('d1');
      isBroken = false;
      await retrieval.close();
    });

    test('an abandoned version has left nothing', async () => {
      const retrieval = await breakDuring(async (before) => {
        const version = await before.begin('help', 'build-2');
        isBroken = false;
        await before.write('help', version, [['d1', 'pear']]);
        isBroken = true;
        await before.client.abandonVersion({ corpus: 'help', version });
      });
      expect(await retrieval.count('help')).toEqual([3, 3, 3, 3, 0]);
      const { signal } = new AbortController();
      for (const store of [stores?.vectors, stores?.keywords]) {
        await expect.poll(() => store?.listKeys('acme', 1, 0, 10, signal)).toHaveLength(3);
      }
      const version = await retrieval.begin('help', 'build-3');
      expect(await retrieval.count('help', version)).toEqual([3, 3, 3, 3, 0]);
      await retrieval.close();
    });

    test('a version with a document that the stores do not have is not published', async () => {
      const retrieval = await breakDuring(async (before) => {
        await before.write('help', await before.begin('help', 'build-2'), [['d1', 'pear']]);
      });
      const version = await retrieval.begin('help', 'build-2');
      expect(String(await failureOf(retrieval.publish('help', version)))).toContain('write them again');
      await retrieval.write('help', version, [['d1', 'pear']]);
      await retrieval.publish('help', version);
      expect((await retrieval.ask('pear')).documentIds[0]).toBe('d1');
      await retrieval.close();
    });
  });

  describe('whatever fails, and wherever', () => {
    // What each version should hold, by a model without stores or files.
    type Held = Map<string, string>;
    const anyStep = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('write' as const), ids: idList(), text: fc.integer({ max: 99 }) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), ids: idList() }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('publish' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('abandon' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('purge' as const), ids: idList() }) },
    );
    function idList() {
      return fc.uniqueArray(
        fc.integer({ min: 0, max: 5 }).map((number) => `d${number}`),
        { minLength: 1, maxLength: 3 },
      );
    }
    /** The n-th call of a store fails: before its effect, or after it. */
    const anyFault = fc.option(fc.record({ call: fc.integer({ min: 0, max: 3 }), isAfter: fc.boolean() }), {
      nil: undefined,
    });

    test('a restart and the same step again have the result of an uninterrupted run', async () => {
      let fault: { call: number; isAfter: boolean } | undefined;
      let callCount = 0;
      const failing = async <T>(work: () => Promise<T>): Promise<T> => {
        const isHit = fault?.call === callCount++;
        if (isHit && fault?.isAfter === false) throw unavailable('store', 'crashed before');
        const result = await work();
        if (isHit) throw unavailable('store', 'crashed after');
        return result;
      };
      const wrap = ({ vectors, keywords }: Stores): Stores => ({
        vectors: { ...vectors, apply: (...args) => failing(() => vectors.apply(...args)) },
        keywords: { ...keywords, apply: (...args) => failing(() => keywords.apply(...args)) },
      });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(anyStep, anyFault), { minLength: 3, maxLength: 14 }), async (steps) => {
          const folder = mkdtempSync(join(dataDir, 'run-'));
          let retrieval = await open({ wrap, keptVersions: 1 }, folder);
          const held = new Map<number, Held>([[0, new Map()]]);
          let live = 0;
          let building: number | undefined;
          let buildCount = 0;
          const corpus = 'help';
          /** Runs a step that may fail; then starts over and runs it again. */
          const twice = async <T>(breaks: typeof fault, work: () => Promise<T>): Promise<T> => {
            fault = breaks;
            callCount = 0;
            try {
              return await work();
            } catch (error) {
              if (!String(error).includes('crashed')) throw error;
            } finally {
              fault = undefined;
            }
            await retrieval.close();
            retrieval = await open({ wrap, keptVersions: 1 }, folder);
            return work();
          };
          for (const [step, breaks] of steps) {
            if (building === undefined && step.kind !== 'rollback' && step.kind !== 'purge') {
              const buildId = `build-${++buildCount}`;
              building = Number(await twice(breaks, () => retrieval.begin(corpus, buildId)));
              for (const version of held.keys()) if (version > live) held.delete(version);
              held.set(building, new Map(held.get(live)));
            }
            const version = BigInt(building ?? 0);
            const current = held.get(building ?? live) as Held;
            switch (step.kind) {
              case 'write': {
                const documents = step.ids.map((id): ShortDocument => [id, `apple ${step.text}`]);
                await twice(breaks, () => retrieval.write(corpus, version, documents));
                for (const id of step.ids) current.set(id, `apple ${step.text}`);
                break;
              }
              case 'remove':
                await twice(breaks, () => retrieval.client.removeDocuments({ corpus, version, documentIds: step.ids }));
                for (const id of step.ids) current.delete(id);
                break;
              case 'publish':
                await twice(breaks, () => retrieval.publish(corpus, version));
                live = Number(version);
                building = undefined;
                break;
              case 'abandon':
                await twice(breaks, () =>
                  retrieval.client.abandonVersion({ corpus, version }).catch((error: unknown) => {
                    // The version was already dropped when the call was interrupted.
                    if (!String(error).includes('has no version')) throw error;
                  }),
                );
                held.delete(building as number);
                building = undefined;
                break;
              case 'rollback': {
                if (building !== undefined || live === 0) break;
                const { versions } = await retrieval.client.listVersions({ corpus });
                const older = versions.find(({ state }) => state === VersionState.KEPT);
                if (older === undefined) break;
                await twice(breaks, () => retrieval.client.rollbackVersion({ corpus, version: older.version }));
                live = Number(older.version);
                break;
              }
              case 'purge':
                if (live === 0 && building === undefined) break;
                await twice(breaks, () => retrieval.client.purgeDocuments({ corpus, documentIds: step.ids }));
                for (const documents of held.values()) for (const id of step.ids) documents.delete(id);
                break;
              default:
                step satisfies never;
            }
            if (live > 0) await expectHeld(retrieval, corpus, live, held.get(live) as Held);
            if (building !== undefined) await expectCounts(retrieval, corpus, building, held.get(building) as Held);
          }
          await retrieval.close();
        }),
        { numRuns: 8 },
      );
    });

    async function expectCounts(retrieval: LocalRetrieval, corpus: string, version: number, held: Held) {
      const { size } = held;
      expect(await retrieval.count(corpus, BigInt(version))).toEqual([size, size, size, size, 0]);
    }

    async function expectHeld(retrieval: LocalRetrieval, corpus: string, live: number, held: Held) {
      await expectCounts(retrieval, corpus, live, held);
      const { passages, legs } = await retrieval.ask('apple', { corpora: [corpus], topK: 50 });
      const inOrder = (documents: Iterable<[string, string]>) => [...documents].toSorted();
      expect(inOrder(passages.map(({ documentId, text }) => [documentId, text]))).toEqual(inOrder(held));
      for (const { hits } of legs) expect(hits).toHaveLength(held.size);
    }
  });
}
