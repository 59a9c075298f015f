import { LRUCache } from 'lru-cache';
import type { Logger } from '#kit/base/log.ts';
import { withSpan } from '#kit/base/span.ts';
import { within } from '#kit/base/within.ts';
import type { CacheMetrics } from '../metrics.ts';
import { type Calibration, mismatchOf } from './calibration/calibration.ts';
import { score } from './calibration/logistic.ts';
import { featuresOf, kindOf } from './features.ts';
import { type GuardName, refusalOf } from './guards/guards.ts';
import { createMatch } from './match.ts';
import { type Question, readQuestion } from './question.ts';
import type { SemanticCandidate, SemanticStore, SemanticTarget } from './semantic-store.ts';
import { type Shadow, type ShadowAnswer, saysTheSame } from './shadow.ts';

/** The vector of a question and its model. */
export interface EmbeddedQuestion {
  model: string;
  /** Of length 1. */
  vector: Float32Array;
}

/** What the layer is made of. */
export interface SemanticLayerParts {
  store: SemanticStore;
  /** Returns the vector of a question. */
  embed(question: string, signal: AbortSignal): Promise<EmbeddedQuestion>;
  calibration: Calibration;
  shadow: Shadow;
  /** Share of hits that are generated again and compared, 0 to 1. @default 0.01 */
  shadowShare?: number;
  /** Longest time of a look-up, in milliseconds; a later result is a miss. @default 100 */
  timeoutMs?: number;
  clock: () => number;
  /** Returns a number from 0 up to 1. */
  random: () => number;
  log: Logger;
  metrics: Pick<CacheMetrics, 'cacheSemanticOff' | 'cacheSemanticRefusedTotal' | 'cacheSemanticShadowTotal'>;
}

/** A question of a tenant, and what its answer depends on. */
export interface SemanticQuery {
  tenant: string;
  /** Hash of all that an answer depends on except the question: tenant, access, corpora with revisions, prompt, model, parameters, language. */
  scopeKey: string;
  question: string;
}

/** A candidate, and why it is not served. */
export interface Considered {
  key: string;
  similarity: number;
  /** Score of the verifier, 0 to 1; `undefined` if a guard refused first. */
  score: number | undefined;
  refusedBy: GuardName | 'verifier' | undefined;
}

/** What a look-up found. */
export type SemanticFound =
  | {
      kind: 'hit';
      /** Identity of the answer. If the answer is gone, it is a miss. */
      key: string;
      /** Cosine of the vectors of the questions. */
      similarity: number;
      /** Score of the verifier; the threshold or more. */
      score: number;
      /** Whether to generate the answer again and pass both to `compare`. */
      isSampled: boolean;
      considered: readonly Considered[];
    }
  | {
      kind: 'miss';
      /** `off`: nothing is served now. `empty`: no candidates in this scope. `refused`: candidates, but none that may be served. */
      reason: 'off' | 'not_covered' | 'empty' | 'refused' | 'late' | 'failed';
      detail: string;
      considered: readonly Considered[];
      /** For `remember`, so that it need not embed again. */
      vector?: Float32Array;
    };

/** Counters since the process started; those of the shadow are persistent. */
export interface SemanticStats {
  /** Why nothing is served; `undefined` while the layer serves. */
  off: string | undefined;
  lookupCount: number;
  hitCount: number;
  comparedCount: number;
  wrongCount: number;
  /** Share of hits that are wrong, with its 95 % interval; `undefined` before the first comparison. */
  falseHits: { rate: number; low: number; high: number } | undefined;
}

/** The semantic layer of the cache. */
export interface SemanticLayer {
  /** Finds an answer to a question of the same meaning. Rejects only with the signal's reason. */
  find(query: SemanticQuery, signal: AbortSignal): Promise<SemanticFound>;
  /**
   * Returns the candidate that may be answered like a question, by the guards and the threshold; `undefined` if none may, or while nothing is
   * served. Rejects only with the signal's reason.
   */
  match(
    question: string,
    candidates: readonly string[],
    signal: AbortSignal,
  ): Promise<{ index: number; score: number } | undefined>;
  /** Stores a question whose answer is stored under `key`. Returns whether it was stored; rejects only with the signal's reason. */
  remember(
    entry: SemanticQuery & {
      key: string;
      documentIds: readonly string[];
      expiresAtMs: number;
      vector?: Float32Array | undefined;
    },
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Removes questions. Rejects if the store fails; the invalidated answers are not found anyway. */
  forget(tenant: string, target: SemanticTarget, signal: AbortSignal): Promise<void>;
  /** Compares the answer of a sampled hit with the one that was generated again, and counts the result. */
  compare(served: ShadowAnswer, regenerated: ShadowAnswer): Promise<'same' | 'wrong'>;
  stats(): SemanticStats;
  close(): Promise<void>;
}

/** Stored questions that stay parsed; parsing one takes about 0.1 ms. */
const maxRead = 5000;

/** Candidates of a look-up. */
const candidateLimit = 8;

/**
 * Creates the layer. It serves only while its calibration is of the model that embeds, has a threshold, and the shadow has not turned it
 * off. A candidate is served if no guard refuses it and its score reaches the threshold; of several, the best score wins.
 */
export function createSemanticLayer(parts: SemanticLayerParts): SemanticLayer {
  const { store, calibration, shadow, log, metrics, random, clock, shadowShare = 0.01, timeoutMs = 100 } = parts;
  const { threshold, vocabulary } = calibration;
  const kind = kindOf(calibration.embedding.model);
  const consider = createJudge(calibration);
  let lookupCount = 0;
  let hitCount = 0;
  /** Set if the embedding model is not the one of the calibration; checked with each embedding. */
  let mismatch: string | undefined;

  const off = (): string | undefined => {
    if (threshold === null) return 'the calibration found no threshold within its budget';
    return shadow.off() ?? mismatch;
  };
  const showState = () => metrics.cacheSemanticOff.set(off() === undefined ? 0 : 1);
  showState();

  /** Returns the vector of a question; `undefined` if its model is not the calibrated one. */
  const embed = async (question: string, signal: AbortSignal): Promise<Float32Array | undefined> => {
    const { model, vector } = await parts.embed(question, signal);
    const before = mismatch;
    mismatch = mismatchOf(calibration, { model, dimensions: vector.length });
    if (mismatch !== before) {
      showState();
      if (mismatch !== undefined) log.warn({ event: 'semantic_cache_off', reason: mismatch }, 'semantic cache is off');
    }
    return mismatch === undefined ? vector : undefined;
  };
  const isCovered = ({ language, text, content }: Question) =>
    content.length > 0 && text.length > 0 && calibration.languages.includes(language as 'zh' | 'en');

  async function search(query: SemanticQuery, signal: AbortSignal): Promise<SemanticFound> {
    const question = readQuestion(query.question);
    if (!isCovered(question))
      return miss('not_covered', `the calibration covers ${calibration.languages.join(', ') || 'no language'}`);
    const vector = await embed(query.question, signal);
    if (vector === undefined) return miss('off', mismatch ?? '');
    const { tenant, scopeKey } = query;
    const candidates = await store.search({ tenant, scopeKey, vector, limit: candidateLimit }, signal);
    if (candidates.length === 0) return { ...miss('empty', 'no similar question'), vector };
    const considered = candidates.map((candidate) => consider(question, vector, candidate));
    let best: Considered | undefined;
    for (const each of considered) {
      if (each.refusedBy !== undefined) metrics.cacheSemanticRefusedTotal.inc({ guard: each.refusedBy });
      else if (best === undefined || (each.score ?? 0) > (best.score ?? 0)) best = each;
    }
    if (best === undefined) {
      return { ...miss('refused', considered[0]?.refusedBy ?? '', considered), vector };
    }
    hitCount++;
    const { key, similarity } = best;
    return { kind: 'hit', key, similarity, score: best.score as number, isSampled: random() < shadowShare, considered };
  }

  return {
    match: createMatch({
      ...parts,
      isOff: () => off() !== undefined,
      isCovered,
      embed,
      consider,
      timeoutMs,
      vocabulary,
      kind,
    }),
    find: (query, signal) =>
      withSpan('cache.semantic', {}, async () => {
        signal.throwIfAborted();
        lookupCount++;
        // The next embedding may end a mismatch.
        const isOff = threshold === null ? off() : shadow.off();
        if (isOff !== undefined) return miss('off', isOff);
        try {
          return await within((running) => search(query, running), {
            timeoutMs,
            signals: [signal],
            toTimeoutError: () => late,
          });
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          if (error === late) return miss('late', `nothing was found within ${timeoutMs} ms`);
          log.warn({ event: 'semantic_lookup_failed', err: error }, 'semantic look-up failed');
          return miss('failed', 'the embedding or the store failed');
        }
      }),
    async remember({ tenant, scopeKey, key, question, documentIds, expiresAtMs, vector: known }, signal) {
      signal.throwIfAborted();
      if (threshold === null || shadow.off() !== undefined || !isCovered(readQuestion(question))) return false;
      try {
        const vector = known ?? (await embed(question, signal));
        if (vector === undefined) return false;
        await store.put(
          { tenant, scopeKey, key, question, vector, documentIds, storedAtMs: clock(), expiresAtMs },
          signal,
        );
        return true;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        log.warn({ event: 'semantic_put_failed', err: error }, 'semantic question not stored');
        return false;
      }
    },
    forget: (tenant, target, signal) => store.remove(tenant, target, signal),
    async compare(served, regenerated) {
      const verdict = saysTheSame(served, regenerated) ? 'same' : 'wrong';
      metrics.cacheSemanticShadowTotal.inc({ verdict });
      try {
        const turnedOff = await shadow.record(verdict === 'wrong');
        if (turnedOff) log.error({ event: 'semantic_cache_off', ...shadow.state }, 'semantic cache off: wrong hits');
      } catch (error) {
        log.error({ event: 'semantic_shadow_write_failed', err: error }, 'shadow comparison not written');
      }
      showState();
      return verdict;
    },
    stats() {
      const { comparedCount, wrongCount } = shadow.state;
      return { off: off(), lookupCount, hitCount, comparedCount, wrongCount, falseHits: shadow.estimate() };
    },
    close: () => store.close(),
  };
}

/** Creates the judgement of candidates by guards, verifier and threshold. */
function createJudge({ threshold, vocabulary, verifier, embedding }: Calibration) {
  const kind = kindOf(embedding.model);
  const read = new LRUCache<string, Question>({ max: maxRead });
  return (question: Question, vector: Float32Array, candidate: SemanticCandidate): Considered => {
    const { key, question: text, similarity, vector: known } = candidate;
    const asked = read.get(text) ?? readQuestion(text);
    read.set(text, asked);
    const refusal = refusalOf(question, asked, vocabulary, kind);
    if (refusal !== undefined) return { key, similarity, score: undefined, refusedBy: refusal.guard };
    const features = featuresOf({ question, vector }, { question: asked, vector: known }, vocabulary, kind);
    const value = score(verifier, features);
    return {
      key,
      similarity,
      score: value,
      refusedBy: threshold === null || value < threshold ? 'verifier' : undefined,
    };
  };
}

const late = Symbol('late');

function miss(
  reason: Extract<SemanticFound, { kind: 'miss' }>['reason'],
  detail: string,
  considered: readonly Considered[] = [],
): Extract<SemanticFound, { kind: 'miss' }> {
  return { kind: 'miss', reason, detail, considered };
}
