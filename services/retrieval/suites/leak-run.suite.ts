import { seededRandom } from '#kit/statistics/bootstrap.ts';
import type { Hit } from '../stores/index-row.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';
import { anyQuestion, judge, type LeakQuestion, type StoreUnderTest } from './leak-questions.suite.ts';
import { type LeakParts, type ModelTenant, type Random, space, writeTenant } from './leak-world.suite.ts';

/** Questions in flight at the same time. */
const concurrentQuestions = 16;
/** Tenants that are written at the same time. */
const concurrentWrites = 4;
/** Tenants that are asked before the others are written, and again afterwards. */
const firstCount = 3;
const firstQuestionCount = 200;
/** Problems after which the run stops. */
const enoughProblems = 10;

/** The outcome of many questions. */
export interface LeakReport {
  askedCount: number;
  /** Chunks and counts that crossed a boundary. */
  leaks: string[];
  /** Chunks and counts that are missing or wrong. */
  faults: string[];
  /** Questions that found something. */
  foundCount: number;
  hitCount: number;
}

/** Returns a vector store under test. It must find exactly the nearest rows, with their cosine. */
export function askVectors({ search, count }: VectorStore): StoreUnderTest {
  return {
    count,
    search: (tenant, { vector, scope, limit }, signal) => search(tenant, { space, vector, scope, limit }, signal),
    scoreOf: ({ vector }, chunk) =>
      vector.reduce((sum, component, at) => sum + component * (chunk.vector[at] as number), 0),
  };
}

/**
 * Returns a keyword store under test. It must find the rows that share a word with the question. Engines score by rules of their own, so
 * any score passes.
 */
export function askKeywords({ search, count }: KeywordStore): StoreUnderTest {
  return {
    count,
    search: (tenant, { words, scope, limit }, signal) =>
      search(tenant, { text: words.join(' '), scope, limit }, signal),
    scoreOf: ({ words }, chunk) => (words.some((word) => chunk.words.includes(word)) ? Number.NaN : undefined),
  };
}

/** The size of a run. */
export interface LeakRun {
  questionCount: number;
  seed: number;
  /** Reports progress. @default not reported */
  say?(text: string): void;
}

/** Asks questions about tenants that are written. Stops after some problems. */
export async function askTenants(
  store: StoreUnderTest,
  tenants: readonly ModelTenant[],
  { questionCount, seed, say = () => {} }: LeakRun,
): Promise<LeakReport> {
  const report: LeakReport = { askedCount: 0, leaks: [], faults: [], foundCount: 0, hitCount: 0 };
  await runConcurrently(
    anyQuestions(tenants, questionCount, seededRandom(seed - 2)),
    concurrentQuestions,
    async (question) => {
      const { hits, leaks, faults } = await judge(store, question);
      report.askedCount++;
      report.hitCount += hits.length;
      if (hits.length > 0) report.foundCount++;
      report.leaks.push(...leaks);
      report.faults.push(...faults);
      if (report.askedCount % 2500 === 0 || report.askedCount === questionCount) {
        const { askedCount, foundCount, hitCount } = report;
        const problems = `${report.leaks.length} leaks, ${report.faults.length} faults`;
        const found = `${Math.round((100 * foundCount) / askedCount)} % found something, ${hitCount} hits`;
        say(`${askedCount} of ${questionCount} questions, ${problems}, ${found}`);
      }
      return report.leaks.length + report.faults.length < enoughProblems;
    },
  );
  return report;
}

/**
 * Writes the first `tenantCount` tenants of `tenantNames`. Asks some of them before the others are written, and again afterwards.
 * `moved` has the answers whose scores changed: only the documents of the other tenants can have changed them.
 */
export async function writeTenants(
  parts: LeakParts,
  store: StoreUnderTest,
  { tenantCount, seed }: { tenantCount: number; seed: number },
): Promise<{ tenants: ModelTenant[]; moved: string[] }> {
  const tenants: ModelTenant[] = [];
  const write = async (index: number) => {
    tenants[index] = await writeTenant(parts, index, seededRandom(seed + index));
    return true;
  };
  const all = Array.from({ length: tenantCount }, (_, index) => index);
  await runConcurrently(all.slice(0, firstCount), 1, write);
  const early = anyQuestions(tenants, firstQuestionCount, seededRandom(seed - 1));
  const scores = new Map<LeakQuestion, string>();
  await runConcurrently(early, concurrentQuestions, async (question) => {
    scores.set(question, scoresOf((await judge(store, question)).hits));
    return true;
  });
  await runConcurrently(all.slice(firstCount), concurrentWrites, write);
  const moved: string[] = [];
  await runConcurrently(early, concurrentQuestions, async (question) => {
    const [now, before] = [scoresOf((await judge(store, question)).hits), scores.get(question)];
    if (now !== before) moved.push(`documents of other tenants changed ${before} to ${now}`);
    return moved.length < enoughProblems;
  });
  return { tenants, moved };
}

const anyQuestions = (tenants: readonly ModelTenant[], count: number, random: Random) =>
  Array.from({ length: count }, () => anyQuestion(tenants, random));

/** Returns the scores by rank. The order of equal scores reveals nothing. */
const scoresOf = (hits: readonly Hit[]) => hits.map(({ score }) => score.toPrecision(5)).join(' ');

/** Runs `work` for all, `width` at a time, until one returns false. */
async function runConcurrently<T>(all: readonly T[], width: number, work: (one: T) => Promise<boolean>): Promise<void> {
  let next = 0;
  let isOver = false;
  const worker = async () => {
    while (next < all.length && !isOver) {
      try {
        if (!(await work(all[next++] as T))) isOver = true;
      } catch (error) {
        isOver = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}
