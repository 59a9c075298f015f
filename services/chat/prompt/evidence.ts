import type { Client, HandlerContext } from '@connectrpc/connect';
import { type AskResponse, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type FusedResult,
  Leg,
  type LegResult,
  type RetrievalService,
  type RetrieveRequest,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { forward } from '#kit/rpc/context.ts';
import type { Course } from '../answer/course.ts';
import { reasonOf, rethrowIfFinal } from '../answer/reason.ts';

/** Legs that retrieval runs where nobody says otherwise. */
const legCount = 2;

/**
 * Searches, and shows the stages of the search as they end. Resolves to the passages, best first, or to `undefined` where the
 * search failed: that is no reason to say that there is nothing.
 */
export async function* findEvidence(
  retrieval: Client<typeof RetrievalService>,
  request: Pick<RetrieveRequest, 'query' | 'topK' | 'corpora'> & Partial<Pick<RetrieveRequest, 'filter'>>,
  context: HandlerContext,
  timeoutMs: number,
  course: Course,
): AsyncGenerator<AskResponse, Passage[] | undefined> {
  let fused: FusedResult | undefined;
  let legs = 0;
  // The search is under way before anybody hears of it.
  const events = retrieval.retrieve(request as never, forward(context, { timeoutMs }))[Symbol.asyncIterator]();
  let next = events.next();
  next.catch(() => {});
  try {
    yield course.begin(Stage.RETRIEVE);
    yield course.begin(Stage.VECTOR_SEARCH);
    yield course.begin(Stage.KEYWORD_SEARCH);
    for (;;) {
      const result = await next;
      if (result.done === true) break;
      const { event } = result.value;
      next = events.next();
      next.catch(() => {});
      if (event.case === 'leg') {
        yield legEnded(event.value, course);
        if (++legs === legCount) yield course.begin(Stage.RERANK);
      } else if (event.case === 'fused') {
        fused = event.value;
      }
    }
  } catch (error) {
    rethrowIfFinal(error, context);
    yield course.degrade(Stage.RETRIEVE, reasonOf(error), 'said that search is unavailable');
    return undefined;
  } finally {
    events.return?.()?.then(undefined, () => {});
  }
  if (fused === undefined) {
    yield course.degrade(Stage.RETRIEVE, 'the search ended without a result', 'said that search is unavailable');
    return undefined;
  }
  const isKnown = (stage: Stage) => course.degradations.some((known) => known.stage === stage);
  for (const { stage, reason, effect } of fused.degradations) {
    if (!isKnown(stage)) yield course.degrade(stage, reason, effect, false);
  }
  if (!isKnown(Stage.RERANK)) {
    const status = fused.rerankModel === '' ? StageStatus.SKIPPED : StageStatus.FINISHED;
    yield course.end(Stage.RERANK, status, fused.rerankModel);
  }
  yield course.end(Stage.RETRIEVE, StageStatus.FINISHED, countOf(fused.passages.length, 'passage'));
  return fused.passages;
}

function legEnded({ leg, hits, latencyUs, degradation }: LegResult, course: Course): AskResponse {
  const stage = stageOf(leg);
  if (degradation !== undefined) return course.degrade(stage, degradation.reason, degradation.effect, false);
  return course.end(stage, StageStatus.FINISHED, countOf(hits.length, 'candidate'), latencyUs);
}

function stageOf(leg: Leg | number): Stage {
  switch (leg) {
    case Leg.VECTOR:
      return Stage.VECTOR_SEARCH;
    case Leg.KEYWORD:
      return Stage.KEYWORD_SEARCH;
    case Leg.WEB:
      return Stage.WEB_SEARCH;
    default:
      return Stage.RETRIEVE;
  }
}

const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
