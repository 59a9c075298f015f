import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { type Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type FusedResult,
  Leg,
  type LegResult,
  type RetrievalService,
  type RetrieveRequestSchema,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { type AskEvent, stageDegraded, stageFinished, stageSkipped, stageStarted } from '../answer/events.ts';
import { describeFailure, rethrowIfFinal } from '../answer/failure.ts';

/** Legs that retrieval runs by default. */
const legCount = 2;
const effectOfFailure = 'said that search is unavailable';

/**
 * Searches, and yields the stages of the search as they end. Returns the passages, best first, or `undefined` if the search failed,
 * which is not the same as nothing found.
 */
export async function* findEvidence(
  retrieval: Pick<Client<typeof RetrievalService>, 'retrieve'>,
  request: MessageInitShape<typeof RetrieveRequestSchema>,
  context: CallContext,
  timeoutMs: number,
): AsyncGenerator<AskEvent, Passage[] | undefined> {
  let fused: FusedResult | undefined;
  let endedLegs = 0;
  const degraded = new Set<Stage>();
  // The search begins before the client sees its first stage.
  const events = retrieval.retrieve(request, context.forward({ timeoutMs }))[Symbol.asyncIterator]();
  let next = events.next();
  next.catch(() => {});
  try {
    yield stageStarted(Stage.RETRIEVE);
    yield stageStarted(Stage.VECTOR_SEARCH);
    yield stageStarted(Stage.KEYWORD_SEARCH);
    for (;;) {
      const result = await next;
      if (result.done === true) break;
      const { event } = result.value;
      next = events.next();
      next.catch(() => {});
      if (event.case === 'leg') {
        if (event.value.degradation !== undefined) degraded.add(stageOf(event.value.leg));
        yield legEnded(event.value);
        if (++endedLegs === legCount) yield stageStarted(Stage.RERANK);
      } else if (event.case === 'fused') {
        fused = event.value;
      }
    }
  } catch (error) {
    rethrowIfFinal(error, context);
    yield stageDegraded(Stage.RETRIEVE, describeFailure(error), effectOfFailure);
    return undefined;
  } finally {
    events.return?.()?.then(undefined, () => {});
  }
  if (fused === undefined) {
    yield stageDegraded(Stage.RETRIEVE, 'the search ended without a result', effectOfFailure);
    return undefined;
  }
  for (const { stage, reason, effect } of fused.degradations) {
    if (degraded.has(stage)) continue;
    degraded.add(stage);
    yield stageDegraded(stage, reason, effect, true);
  }
  const { rerankModel, passages } = fused;
  if (!degraded.has(Stage.RERANK)) {
    yield rerankModel === '' ? stageSkipped(Stage.RERANK) : stageFinished(Stage.RERANK, rerankModel);
  }
  if (!degraded.has(Stage.RETRIEVE)) yield stageFinished(Stage.RETRIEVE, countOf(passages.length, 'passage'));
  return passages;
}

function legEnded({ leg, hits, latencyUs, degradation }: LegResult): AskEvent {
  const stage = stageOf(leg);
  if (degradation !== undefined) return stageDegraded(stage, degradation.reason, degradation.effect, true);
  return stageFinished(stage, countOf(hits.length, 'candidate'), latencyUs);
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
