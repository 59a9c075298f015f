import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '#kit/base/statistics/bootstrap.ts';
import { adapter as embeddedKeywords } from '../adapters/keyword-store/sqlite.ts';
import { adapter as embeddedVectors } from '../adapters/vector-store/sqlite.ts';
import { createCatalog } from '../catalog/catalog.ts';
import { createSqliteThreads } from '../sqlite/threads.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { StoreDeps, VectorStore } from '../stores/vector-store.ts';
import type { AskedStore } from './leak-questions.suite.ts';
import { askKeywords, askTenants, askVectors, writeTenants } from './leak-run.suite.ts';
import { type LeakParts, tenantNames } from './leak-world.suite.ts';

/** Questions that every store is asked. */
export const questionCount = 10_000;

/** Servers made of Python answer five questions a second on a small machine that has more to do. */
const timeoutMs = 60 * 60_000;

/** What is written into, beside the catalog, and what is asked. */
type Target = Pick<LeakParts, 'vectors' | 'keywords'> & { asked: AskedStore };

/** That nothing in a vector store crosses a boundary. `create` gives one that is empty and searches exactly. */
export function vectorLeakSuite(name: string, create: () => Promise<VectorStore>): void {
  leakSuite(`${name} vectors`, async (deps) => {
    const vectors = await create();
    return { vectors, keywords: await embeddedKeywords.create({}, deps), asked: askVectors(vectors) };
  });
}

/** That nothing in a keyword store crosses a boundary. `create` gives one that is empty. */
export function keywordLeakSuite(name: string, create: () => Promise<KeywordStore>): void {
  leakSuite(`${name} keywords`, async (deps) => {
    const keywords = await create();
    return { keywords, vectors: await embeddedVectors.create({}, deps), asked: askKeywords(keywords) };
  });
}

// The service writes into both kinds of store at once; the one that is not asked is embedded.
function leakSuite(name: string, open: (deps: StoreDeps) => Promise<Target>): void {
  describe(`${name} keep apart what is apart`, () => {
    const closing: (() => Promise<void> | void)[] = [];
    let parts: LeakParts;
    let target: Target;
    const seed = Number(process.env.RAGMESH_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

    beforeAll(async () => {
      const folder = mkdtempSync(join(tmpdir(), 'ragmesh-leaks-'));
      closing.push(() => rmSync(folder, { recursive: true, force: true }));
      const threads = createSqliteThreads(2);
      closing.push(() => threads.close());
      target = await open({ folder: join(folder, 'beside'), threads });
      const catalog = createCatalog(join(folder, 'catalog'), threads, seededRandom(seed));
      const { vectors, keywords } = target;
      for (const part of [vectors, keywords, catalog]) closing.push(() => part.close());
      parts = { vectors, keywords, catalog };
    });
    afterAll(async () => {
      for (const close of closing.reverse()) await close();
    });

    test(
      `of ${questionCount} random questions of random people in ${tenantNames.length} tenants, none finds, counts or scores across a boundary`,
      async () => {
        const startedAt = performance.now();
        const say = (text: string) => {
          const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
          process.stderr.write(`leaks: ${name}: ${text}, ${seconds} s\n`);
        };
        const { asked } = target;
        const { tenants, moved } = await writeTenants(parts, asked, { tenantCount: tenantNames.length, seed });
        say(`${tenants.length} tenants are written`);
        const report = await askTenants(asked, tenants, { questionCount, seed, say });
        const { leaks, faults, askedCount, foundCount } = report;
        const message = `RAGMESH_TEST_SEED=${seed} asks the same`;
        expect({ leaks, moved, faults }, message).toEqual({ leaks: [], moved: [], faults: [] });
        expect(askedCount).toBe(questionCount);
        // Where nothing is found, nothing leaks either.
        expect(foundCount / questionCount).toBeGreaterThan(0.5);
      },
      timeoutMs,
    );
  });
}
