import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { CacheService, Hit, LookupRequestSchema, LookupResponse } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { AskRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { Corpus, RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import { withSpan } from '#kit/base/span.ts';
import { within } from '#kit/base/within.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { type BackgroundTasks, backgroundCall } from '../answer/background.ts';
import { describeFailure, rethrowIfFinal } from '../answer/failure.ts';
import type { ChatSettings } from '../config.ts';
import { assignTrials, unitOf } from '../evidence/trials.ts';
import type { Understood } from '../understand/understand.ts';
import { openFill } from './fill.ts';
import { toCacheKey } from './key.ts';

/** The result of a look-up. */
export type Found =
  /** The answer follows, stored or from a generation in flight. */
  | {
      kind: 'answer';
      layer: CacheLayer;
      isFollowed: boolean;
      hit: Hit | undefined;
      events: AsyncIterator<LookupResponse>;
    }
  /** The caller generates the answer, and may record it under the lease. */
  | { kind: 'lease'; leaseId: string }
  /** The cache has failed. */
  | { kind: 'none'; reason: string };

/** What a look-up needs. */
export interface LookupDeps {
  settings: ChatSettings;
  /** Names the prompt template in cache keys. */
  promptVersion: string;
  clients: {
    cache: Pick<Client<typeof CacheService>, 'lookup' | 'fill'>;
    retrieval: Pick<Client<typeof RetrievalService>, 'listCorpora'>;
  };
  background: BackgroundTasks;
}

/** A look-up in flight. */
export interface Lookup {
  /** Resolves when the corpora of the question are known. Rejects with NOT_FOUND if one does not exist. */
  readonly corporaListed: Promise<ListedCorpora>;
  /** Returns the result, which stays here to be taken. */
  peek(): Promise<Found>;
  /** Returns the result; the caller of `take` closes or uses what it holds. */
  take(): Promise<Found>;
  /** Returns a result that was not taken to the cache: a client may leave at any event. */
  close(): void;
}

/**
 * Begins a look-up. It lists the corpora, whose revisions are a part of the key, while the question is being understood, and asks the
 * cache as soon as both are known.
 */
export function beginLookup(
  deps: LookupDeps,
  request: AskRequest,
  context: CallContext,
  understanding: Promise<Understood>,
): Lookup {
  const { settings, promptVersion, clients, background } = deps;
  const listed = Promise.withResolvers<ListedCorpora>();
  let isTaken = false;

  const found = withSpan('cache.get', {}, async (): Promise<Found> => {
    listCorpora(clients.retrieval, request, context, settings.listTimeoutMs).then(listed.resolve, listed.reject);
    const [corpora, understood] = await Promise.all([listed.promise, understanding]);
    if (!('corpora' in corpora)) return { kind: 'none', reason: `the corpora cannot be listed: ${corpora.reason}` };
    // Never taken: the reply needs no cache.
    if (understood.move.reply !== undefined) return { kind: 'none', reason: 'a reply of the conversation' };
    if (understood.tools.first !== undefined) return { kind: 'none', reason: 'a tool answers' };
    if (understood.model === '') return { kind: 'none', reason: 'the default model is not known' };
    const unit = request.isTest ? undefined : unitOf(understood.sessionId, context.principal);
    const assigned = assignTrials(corpora.corpora, unit);
    const scope = toCacheKey(request, assigned.corpora, promptVersion, understood);
    const lookup = { question: understood.standalone, scope, refresh: request.bypassCache || request.inspectPrompt };
    return lookUp(clients.cache, lookup, context, settings.cacheTimeoutMs);
  });
  // One failure ends the call; the other promises must not reject unhandled.
  for (const work of [found, listed.promise, understanding]) work.catch(() => {});

  const giveBack = async () => {
    const unused = await found.catch(() => undefined);
    if (unused?.kind === 'answer') await unused.events.return?.();
    if (unused?.kind !== 'lease') return;
    const options = backgroundCall(context, settings.recordTimeoutMs);
    openFill(clients.cache, unused.leaseId, options).abandon('the caller left');
  };
  return {
    corporaListed: listed.promise,
    peek: () => found,
    take() {
      isTaken = true;
      return found;
    },
    close() {
      if (!isTaken) void background.run('returning an unused look-up', giveBack);
    },
  };
}

// The cache has `timeoutMs` to answer hit, follow or lease; the events of an answer may take longer.
async function lookUp(
  cache: Pick<Client<typeof CacheService>, 'lookup'>,
  request: MessageInitShape<typeof LookupRequestSchema>,
  context: CallContext,
  timeoutMs: number,
): Promise<Found> {
  const events = cache.lookup(request, context.forward())[Symbol.asyncIterator]();
  try {
    const first = (await within(() => events.next(), { timeoutMs })).value?.event;
    switch (first?.case) {
      case 'hit':
        return { kind: 'answer', layer: first.value.layer, isFollowed: false, hit: first.value, events };
      case 'follow':
        return { kind: 'answer', layer: CacheLayer.MEMORY, isFollowed: true, hit: undefined, events };
      case 'lease':
        // Read to the end: the cache takes a lease back if its stream is interrupted.
        await events.next();
        return { kind: 'lease', leaseId: first.value.leaseId };
      default:
        return { kind: 'none', reason: `the cache answered ${first?.case ?? 'nothing'}` };
    }
  } catch (error) {
    void events.return?.();
    rethrowIfFinal(error, context);
    return { kind: 'none', reason: describeFailure(error) };
  }
}

/** The corpora of a question, or why they are not known. */
export type ListedCorpora = { corpora: readonly Corpus[] } | { reason: string };

/** Returns the corpora that the caller may see. Throws if the caller's time is over. */
export async function listVisible(
  retrieval: Pick<Client<typeof RetrievalService>, 'listCorpora'>,
  context: CallContext,
  timeoutMs: number,
): Promise<ListedCorpora> {
  try {
    const { corpora } = await retrieval.listCorpora({}, context.forward({ timeoutMs }));
    return { corpora };
  } catch (error) {
    rethrowIfFinal(error, context);
    return { reason: describeFailure(error) };
  }
}

/** Returns those of the corpora that a question names; all if it names none. Throws NOT_FOUND if one does not exist. */
export function choose(corpora: readonly Corpus[], names: readonly string[]): readonly Corpus[] {
  if (names.length === 0) return corpora;
  return [...new Set(names)].map((name) => {
    const corpus = corpora.find((candidate) => candidate.name === name);
    if (corpus === undefined) throw notFound('corpus', name, ErrorReason.CORPUS_NOT_FOUND);
    return corpus;
  });
}

async function listCorpora(
  retrieval: Pick<Client<typeof RetrievalService>, 'listCorpora'>,
  { corpora: names }: AskRequest,
  context: CallContext,
  timeoutMs: number,
): Promise<ListedCorpora> {
  const listed = await listVisible(retrieval, context, timeoutMs);
  return 'corpora' in listed ? { corpora: choose(listed.corpora, names) } : listed;
}
