import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { adapter as embeddedKeywords } from '../adapters/keyword-store/sqlite/index.ts';
import { adapter as embeddedVectors } from '../adapters/vector-store/sqlite/index.ts';
import { createCatalog } from '../catalog/catalog.ts';
import { createSqliteEngine } from '../catalog/engines/sqlite.ts';
import type { CatalogEngine } from '../catalog/engines/tables.ts';
import type { EmbeddedStoreDeps } from '../sqlite/embedded-store.ts';
import { createSqliteThreads } from '../sqlite/threads.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';
import type { StoreUnderTest } from './leak-questions.suite.ts';
import { askKeywords, askTenants, askVectors, writeTenants } from './leak-run.suite.ts';
import { type LeakParts, tenantNames } from './leak-world.suite.ts';

/** Questions for each store. */
export const questionCount = 10_000;

/** Servers in Python answer five questions per second on a small busy machine. */
const timeoutMs = 60 * 60_000;

/** The stores that are written, and the one that is tested. */
type Target = Pick<LeakParts, 'vectors' | 'keywords'> & {
  tested: StoreUnderTest;
  /** @default files */
  engine?: CatalogEngine | undefined;
};

/** Tests that nothing in a vector store crosses a boundary. `create` returns an empty store that searches exactly. */
export function vectorLeakSuite(name: string, create: () => Promise<VectorStore>): void {
  leakSuite(`${name} vectors`, async (deps) => {
    const vectors = await create();
    return { vectors, keywords: await embeddedKeywords.create({}, deps), tested: askVectors(vectors) };
  });
}

/** Tests that nothing in a keyword store crosses a boundary. `create` returns an empty store. `openEngine`: what keeps the catalog. */
export function keywordLeakSuite(
  name: string,
  create: () => Promise<KeywordStore>,
  openEngine?: () => Promise<CatalogEngine>,
): void {
  leakSuite(`${name} keywords`, async (deps) => {
    const keywords = await create();
    const engine = await openEngine?.();
    return { keywords, vectors: await embeddedVectors.create({}, deps), tested: askKeywords(keywords), engine };
  });
}

// The service always writes into both kinds of store; the one that is not tested is embedded.
function leakSuite(name: string, open: (deps: EmbeddedStoreDeps) => Promise<Target>): void {
  describe(`${name} keep tenants and access lists separate`, () => {
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
      const engine = target.engine ?? createSqliteEngine(join(folder, 'catalog'), threads);
      const catalog = createCatalog(engine, seededRandom(seed));
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
        const { tested } = target;
        const { tenants, moved } = await writeTenants(parts, tested, { tenantCount: tenantNames.length, seed });
        say(`${tenants.length} tenants are written`);
        const report = await askTenants(tested, tenants, { questionCount, seed, say });
        const { leaks, faults, askedCount, foundCount } = report;
        const message = `RAGMESH_TEST_SEED=${seed} asks the same`;
        expect({ leaks, moved, faults }, message).toEqual({ leaks: [], moved: [], faults: [] });
        expect(askedCount).toBe(questionCount);
        // A store that finds nothing would also leak nothing.
        expect(foundCount / questionCount).toBeGreaterThan(0.5);
      },
      timeoutMs,
    );
  });
}
