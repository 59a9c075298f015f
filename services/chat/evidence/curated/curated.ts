import { create } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { LRUCache } from 'lru-cache';
import type { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { PassageSchema, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { type AskEvent, citation, sources, stageFinished, textDelta } from '../../answer/events.ts';
import { rethrowIfFinal } from '../../answer/failure.ts';
import type { Sessions } from '../../sessions/sessions.ts';
import type { StoredCurated } from './store.ts';

/** What finds curated answers. */
export interface CuratedDeps {
  sessions: Pick<Sessions, 'curatedSince'>;
  cache: Pick<Client<typeof CacheService>, 'matchQuestion'>;
  clock: () => number;
  log: Logger;
}

/** Finds the curated answer to a question, among those of the corpora that its caller may search. */
export type FindCurated = (
  question: string,
  corpora: readonly { name: string }[],
  context: CallContext,
) => Promise<StoredCurated | undefined>;

/** Age from which a tenant's answers are compared with the store again, in milliseconds. */
const freshMs = 1000;
const maxTenants = 1000;
/** Questions that are compared by meaning, and the share of words that they must share. */
const maxCandidates = 4;
const minShared = 0.3;
const matchTimeoutMs = 200;

interface Known {
  revision: number;
  answers: readonly StoredCurated[];
  checkedAtMs: number;
}

/**
 * Creates the search: a wording as it is stored, or one of the same meaning by the guards and the calibration of the semantic cache. A store or
 * a cache that fails finds nothing; documents answer then.
 */
export function createFindCurated({ sessions, cache, clock, log }: CuratedDeps): FindCurated {
  const known = new LRUCache<string, Known>({ max: maxTenants });

  async function answersOf(tenant: string): Promise<readonly StoredCurated[]> {
    const before = known.get(tenant);
    if (before !== undefined && clock() - before.checkedAtMs < freshMs) return before.answers;
    const changed = await sessions.curatedSince(tenant, before?.revision ?? 0);
    const { revision, answers } = changed ?? before ?? { revision: 0, answers: [] };
    known.set(tenant, { revision, answers, checkedAtMs: clock() });
    return answers;
  }

  return async (question, corpora, context) => {
    try {
      const visible = new Set(corpora.map(({ name }) => name));
      const answers = (await answersOf(context.principal.tenant)).filter(({ corpus }) => visible.has(corpus));
      if (answers.length === 0) return undefined;
      const asked = formOf(question);
      const exact = answers.find(({ questions }) => questions.some((each) => formOf(each) === asked));
      if (exact !== undefined) return exact;
      const candidates = closest(question, answers);
      if (candidates.length === 0) return undefined;
      const request = { question, candidates: candidates.map((each) => each.question) };
      const { index } = await cache.matchQuestion(request, context.forward({ timeoutMs: matchTimeoutMs }));
      return index === undefined ? undefined : candidates[index]?.answer;
    } catch (error) {
      rethrowIfFinal(error, context);
      log.warn({ err: error, event: 'curated_failed' }, 'curated answers not searched');
      return undefined;
    }
  };
}

/** Yields a curated answer, which cites itself. */
export function answerCurated({ id, version, corpus, answer, title, url }: StoredCurated): AskEvent[] {
  const chunkId = `curated/${id}`;
  const passage = create(PassageSchema, {
    ...{ chunkId, documentId: chunkId, corpus, version, title, url, text: answer },
    endOffset: answer.length,
  });
  return [
    { case: 'model', value: '' },
    stageFinished(Stage.RETRIEVE, 'a curated answer'),
    sources([passage]),
    textDelta(`${answer.trimEnd()} [1]`),
    citation({ marker: 1, chunkId, documentId: chunkId, title, url, corpus, version }),
    { case: 'outcome', value: AnswerOutcome.ANSWERED },
    { case: 'verdict', value: { unsupportedClaims: [], isVerified: true } },
  ];
}

/** Case, width, script variant, space and punctuation do not count. */
const formOf = (question: string): string => normalizeText(question, foldTraditional).replaceAll(/[\s\p{P}]+/gu, '');

function closest(question: string, answers: readonly StoredCurated[]) {
  const words = new Set(tokenize(question, { mode: 'query' }));
  const all = answers.flatMap((answer) =>
    answer.questions.map((each) => ({ answer, question: each, shared: sharedShare(words, each) })),
  );
  return all
    .filter(({ shared }) => shared >= minShared)
    .sort((a, b) => b.shared - a.shared)
    .slice(0, maxCandidates);
}

function sharedShare(words: ReadonlySet<string>, other: string): number {
  const own = new Set(tokenize(other, { mode: 'query' }));
  let both = 0;
  for (const word of own) if (words.has(word)) both++;
  return both / Math.max(1, words.size + own.size - both);
}
