import { seededRandom } from '#kit/base/statistics/bootstrap.ts';
import type { Hit } from '../stores/index-row.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';
import { type AskedStore, anyQuestion, judge, type LeakQuestion } from './leak-questions.suite.ts';
import { type LeakParts, type ModelTenant, type Random, space, writeTenant } from './leak-world.suite.ts';

/** Questions under way at once. */
const askerCount = 16;
/** Tenants that are written at once. */
const writerCount = 4;
/** Tenants that are asked before any other has written, and again after all have. */
const firstCount = 3;
const firstQuestionCount = 200;
/** Problems after which no more is asked. */
const enoughProblems = 10;

/** What came of many questions. */
export interface LeakReport {
  askedCount: number;
  /** What crossed a boundary. */
  leaks: string[];
  /** What was not found, or not as it should be. */
  faults: string[];
  /** Questions that found something. */
  foundCount: number;
  hitCount: number;
}

/** A vector store as it is asked: exactly the nearest, with their cosine. */
export function askVectors({ search, count }: VectorStore): AskedStore {
  return {
    count,
    search: (tenant, { vector, scope, limit }, signal) => search(tenant, { space, vector, scope, limit }, signal),
    scoreOf: ({ vector }, chunk) =>
      vector.reduce((sum, component, at) => sum + component * (chunk.vector[at] as number), 0),
  };
}

/** A keyword store as it is asked: what shares a word with the question. Engines score by rules of their own, so every number passes. */
export function askKeywords({ search, count }: KeywordStore): AskedStore {
  return {
    count,
    search: (tenant, { words, scope, limit }, signal) =>
      search(tenant, { text: words.join(' '), scope, limit }, signal),
    scoreOf: ({ words }, chunk) => (words.some((word) => chunk.words.includes(word)) ? Number.NaN : undefined),
  };
}

/** How much is asked. */
export interface LeakRun {
  questionCount: number;
  seed: number;
  /** Is told how far it is. @default nobody */
  say?(text: string): void;
}

/** Asks about tenants that are written. Stops after some problems. */
export async function askTenants(
  asked: AskedStore,
  tenants: readonly ModelTenant[],
  { questionCount, seed, say = () => {} }: LeakRun,
): Promise<LeakReport> {
  const report: LeakReport = { askedCount: 0, leaks: [], faults: [], foundCount: 0, hitCount: 0 };
  await inTurns(anyQuestions(tenants, questionCount, seededRandom(seed - 2)), askerCount, async (question) => {
    const { hits, leaks, faults } = await judge(asked, question);
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
  });
  return report;
}

/**
 * Writes the tenants of `tenantNames`, the first `tenantCount` of them. Some are asked before the others are written, and
 * again after: `moved` says where an answer has another score then, which it can only have from the others' documents.
 */
export async function writeTenants(
  parts: LeakParts,
  asked: AskedStore,
  { tenantCount, seed }: { tenantCount: number; seed: number },
): Promise<{ tenants: ModelTenant[]; moved: string[] }> {
  const tenants: ModelTenant[] = [];
  const write = async (index: number) => {
    tenants[index] = await writeTenant(parts, index, seededRandom(seed + index));
    return true;
  };
  const all = Array.from({ length: tenantCount }, (_, index) => index);
  await inTurns(all.slice(0, firstCount), 1, write);
  const early = anyQuestions(tenants, firstQuestionCount, seededRandom(seed - 1));
  const scores = new Map<LeakQuestion, string>();
  await inTurns(early, askerCount, async (question) => {
    scores.set(question, scoresOf((await judge(asked, question)).hits));
    return true;
  });
  await inTurns(all.slice(firstCount), writerCount, write);
  const moved: string[] = [];
  await inTurns(early, askerCount, async (question) => {
    const [now, before] = [scoresOf((await judge(asked, question)).hits), scores.get(question)];
    if (now !== before) moved.push(`others' documents made ${now} of ${before}`);
    return moved.length < enoughProblems;
  });
  return { tenants, moved };
}

const anyQuestions = (tenants: readonly ModelTenant[], count: number, random: Random) =>
  Array.from({ length: count }, () => anyQuestion(tenants, random));

/** Scores by rank; which of those that score the same comes first is nobody's secret. */
const scoresOf = (hits: readonly Hit[]) => hits.map(({ score }) => score.toPrecision(5)).join(' ');

/** Does `work` for all, some at once, until it says that it is enough. */
async function inTurns<T>(all: readonly T[], width: number, work: (one: T) => Promise<boolean>): Promise<void> {
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
