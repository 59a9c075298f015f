import { create } from '@bufbuild/protobuf';
import type { Client, HandlerContext } from '@connectrpc/connect';
import type { CacheService, Hit, LookupRequest, LookupResponse } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type AnswerEvent, AnswerEventSchema, CacheLayer, SourcesSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type CatchUp, createCatchUp } from '#kit/base/catch-up.ts';
import { deadlineExceeded } from '#kit/base/errors.ts';
import { forward } from '#kit/rpc/context.ts';
import { shareMessage } from '#kit/rpc/shared-message.ts';
import { type Course, respond } from './course.ts';
import { reasonOf, rethrowIfFinal } from './reason.ts';

/** What the cache says to a question. */
export type Found =
  /** The answer comes, stored or from a generation under way. */
  | {
      kind: 'answer';
      layer: CacheLayer;
      isFollowed: boolean;
      hit: Hit | undefined;
      events: AsyncIterator<LookupResponse>;
    }
  /** The caller generates, and may record it. */
  | { kind: 'lease'; leaseId: string }
  /** The cache has failed. */
  | { kind: 'none'; reason: string };

/** Looks an answer up. The cache has `timeoutMs` to say hit, follow or lease; an answer that comes may take as long as it takes. */
export async function lookUp(
  cache: Client<typeof CacheService>,
  request: Pick<LookupRequest, 'question' | 'refresh'> & { scope: object },
  context: HandlerContext,
  timeoutMs: number,
): Promise<Found> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(deadlineExceeded(`no word within ${timeoutMs} ms`)), timeoutMs);
  try {
    const responses = cache.lookup(request as never, forward(context, { signal: late.signal }));
    const events = responses[Symbol.asyncIterator]();
    const first = (await events.next()).value?.event;
    switch (first?.case) {
      case 'hit':
        return { kind: 'answer', layer: first.value.layer, isFollowed: false, hit: first.value, events };
      case 'follow':
        return { kind: 'answer', layer: CacheLayer.MEMORY, isFollowed: true, hit: undefined, events };
      case 'lease':
        // To the end: a lease whose stream is broken off is taken back.
        await events.next();
        return { kind: 'lease', leaseId: first.value.leaseId };
      default:
        return { kind: 'none', reason: `the cache said ${first?.case ?? 'nothing'}` };
    }
  } catch (error) {
    rethrowIfFinal(error, context);
    return { kind: 'none', reason: reasonOf(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** How a replay ended: with the whole answer; or without it, and with a lease where the cache gave one. */
export type Replayed = { kind: 'whole' } | { kind: 'broken'; leaseId: string | undefined };

/** Shows an answer from the cache, what is ready together in one piece. Where it breaks off, see {@link startAnew}. */
export async function* replay(
  { hit, events, layer }: Found & { kind: 'answer' },
  context: HandlerContext,
  course: Course,
): AsyncGenerator<AskResponse[], Replayed> {
  let leaseId: string | undefined;
  try {
    if (hit !== undefined && hit.events.length > 0) {
      for (const answer of hit.events) end(answer, layer, course);
      yield shownOf(hit);
    }
    for (;;) {
      const result = await events.next();
      if (result.done === true) break;
      const { event } = result.value;
      if (event.case === 'lease') leaseId = event.value.leaseId;
      if (event.case !== 'answer') continue;
      end(event.value, layer, course);
      const shown = toResponse(event.value);
      if (shown !== undefined) yield [shown];
    }
  } catch (error) {
    rethrowIfFinal(error, context);
    yield [course.degrade(Stage.CACHE, reasonOf(error), 'generated the answer instead')];
  } finally {
    await events.return?.();
  }
  if (course.outcome !== 0) return { kind: 'whole' };
  return { kind: 'broken', leaseId };
}

/**
 * Begins the answer anew after a part of it was shown: the course forgets that part, and what this gives back leads the caller from it to
 * the new text, which may go on with the same words. `undefined` where nothing was shown.
 */
export function startAnew(course: Course): CatchUp | undefined {
  const { text, citations, passages } = course;
  if (text === '' && passages.length === 0) return undefined;
  const markers = new Set(citations.map(({ marker }) => marker));
  const sources = passages.length === 0 ? undefined : create(SourcesSchema, { passages: [...passages] });
  course.text = '';
  course.citations = [];
  course.passages = [];
  return createCatchUp({ text, markers, sources }, 'the answer from the cache broke off');
}

/** What to show of an event while the caller is led to a new text. */
export function shownWhile(catchUp: CatchUp, response: AskResponse): AskResponse[] {
  const { event } = response;
  switch (event.case) {
    case 'sources':
    case 'textDelta':
    case 'reset':
    case 'citation':
    case 'usage':
    case 'done':
      return catchUp.take(create(AnswerEventSchema, { event })).map((answer) => respond(answer.event));
    default:
      return [response];
  }
}

// Of answers that come again and again: in one process, the cache hands over the same message each time.
const known = new WeakMap<Hit, AskResponse[]>();

function shownOf(hit: Hit): AskResponse[] {
  let shown = known.get(hit);
  if (shown === undefined) {
    shown = hit.events.flatMap((answer) => toResponse(answer) ?? []).map(shareMessage);
    known.set(hit, shown);
  }
  return shown;
}

function toResponse({ event }: AnswerEvent): AskResponse | undefined {
  return event.case === 'done' || event.case === undefined ? undefined : respond(event);
}

function end({ event }: AnswerEvent, layer: CacheLayer, course: Course): void {
  if (event.case !== 'done') return;
  course.outcome = event.value.outcome;
  course.model = event.value.model;
  course.cacheLayer = event.value.cacheLayer || layer;
  course.degradations.push(...event.value.degradations);
  course.unsupportedClaims = event.value.unsupportedClaims;
  course.isVerified = event.value.verified;
}
