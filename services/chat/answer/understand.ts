import { ConnectError } from '@connectrpc/connect';
import type { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { Model } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Corpus } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { notFound, unavailable } from '#kit/base/errors.ts';
import { withSpan } from '#kit/base/span.ts';
import { callerOf, forward } from '#kit/rpc/context.ts';
import { chooseHistory, historyVersion, type PastTurn } from '../prompt/prompt.ts';
import { toStandalone } from '../rewrite/rewrite.ts';
import { toCacheScope } from '../rewrite/scope.ts';
import type { Asking } from './answer.ts';
import { detach } from './detached.ts';
import { isGenerative } from './generate.ts';
import { type Found, lookUp } from './lookup.ts';
import { reasonOf, rethrowIfFinal } from './reason.ts';
import { createRecorder, type Recorder } from './recorder.ts';
import { answerLanguage } from './texts.ts';

/** What is known of a question before it is searched for. */
export interface Prepared {
  language: Language;
  topK: number;
  maxTokens: number;
  /** Alias of the model to ask; empty where the default one is not known. */
  model: string;
  models: readonly Model[] | undefined;
  /** Turns that go into the prompt. */
  history: readonly PastTurn[];
}

/** Turns that are read for rewriting, where the prompt takes fewer. */
const minTurns = 4;
/** Time that a recording may go on beyond the call, in milliseconds. */
const recordingGraceMs = 10_000;

/**
 * Begins all that the cache's key needs at once: corpora with their revisions, models, and the session with the standalone
 * question; and looks the answer up as soon as they are there.
 */
export function beginPreparing(asking: Asking) {
  const { parts, request, context, course } = asking;
  const { settings, clients, promptVersion } = parts;
  const language = answerLanguage(request.language, request.question);
  const topK = request.topK || settings.topK;
  const maxTokens = Math.min(request.maxTokens || settings.maxCompletionTokens, settings.maxCompletionTokens);
  const understood = Promise.withResolvers<Prepared>();
  const listed = Promise.withResolvers<ListedCorpora>();

  const found = withSpan('cache.get', {}, async (): Promise<Found> => {
    listCorpora(asking).then(listed.resolve, listed.reject);
    const [corpora, { model, models, history }] = await Promise.all([listed.promise, understood.promise]);
    if (!('corpora' in corpora)) return { kind: 'none', reason: `the corpora cannot be listed: ${corpora.reason}` };
    if (model === '') return { kind: 'none', reason: 'the default model is not known' };
    const scope = toCacheScope({
      ...{ request, corpora: corpora.corpora, model, models, language, topK, maxTokens, promptVersion },
      historyVersion: historyVersion(history),
    });
    const lookup = { question: course.standalone, scope, refresh: request.bypassCache };
    return lookUp(clients.cache, lookup, context, settings.cacheTimeoutMs);
  });

  const rewriting = withSpan('rag.rewrite', {}, async () => {
    const turns = await loadTurns(asking);
    const questions = turns.map(({ question }) => question);
    course.standalone = toStandalone(request.question, questions).text;
    return turns;
  });
  const listing = parts.models.list(callerOf(context).tenant, detach(context, settings.listTimeoutMs));
  const understand = async (): Promise<Prepared> => {
    const [turns, models] = await Promise.all([rewriting, listing]);
    const model = request.model || models?.[0]?.name || '';
    // A model that only quotes reads the question alone.
    const history = isGenerative(model, models) ? chooseHistory(turns, settings) : [];
    return { language, topK, maxTokens, model, models, history };
  };
  understand().then(understood.resolve, understood.reject);

  const prepared = Promise.all([understood.promise, listed.promise]).then(([known]) => known);
  // One failure ends the call; the others have been heard as well.
  for (const work of [found, prepared]) work.catch(() => {});
  const record = (leaseId: string): Recorder => {
    const timeoutMs = (context.timeoutMs() ?? 110_000) + recordingGraceMs;
    asking.recorder = createRecorder(clients.cache, leaseId, detach(context, timeoutMs));
    return asking.recorder;
  };
  return {
    /** What is known of the question. Rejects where the session or a corpus is not there. */
    prepared,
    /** What the cache says. */
    found,
    /** Begins to record the answer under a lease. */
    record,
    /** Gives back what the cache said, where nobody took it: a caller may leave at any event. */
    close(): void {
      const giveBack = async () => {
        const unused = await found.catch(() => undefined);
        if (unused?.kind === 'answer') await unused.events.return?.();
        if (unused?.kind === 'lease' && asking.recorder === undefined)
          record(unused.leaseId).abandon('the caller left');
      };
      void parts.detached.run('giving back what the cache said', giveBack);
    },
  };
}

/** What was begun for a question. */
export type Preparing = ReturnType<typeof beginPreparing>;

type ListedCorpora = { corpora: readonly Corpus[] } | { reason: string };

// The corpora that the question is asked of. Throws NOT_FOUND for one that is not there.
async function listCorpora({ parts, request, context }: Asking): Promise<ListedCorpora> {
  try {
    const options = forward(context, { timeoutMs: parts.settings.listTimeoutMs });
    const { corpora } = await parts.clients.retrieval.listCorpora({}, options);
    if (request.corpora.length === 0) return { corpora };
    const asked = [...new Set(request.corpora)].map((name) => {
      const corpus = corpora.find((candidate) => candidate.name === name);
      if (corpus === undefined) throw notFound('corpus', name, ErrorReason.CORPUS_NOT_FOUND);
      return corpus;
    });
    return { corpora: asked };
  } catch (error) {
    rethrowIfFinal(error, context);
    return { reason: reasonOf(error) };
  }
}

// Turns before this question, oldest first. Throws NOT_FOUND where the caller has no such session.
async function loadTurns(asking: Asking): Promise<readonly PastTurn[]> {
  const { parts, request, context, course } = asking;
  const { sessions, openSessions, settings, newId } = parts;
  const owner = callerOf(context);
  const enter = (sessionId: string) => {
    course.sessionId = sessionId;
    asking.leaveSession = openSessions.enter(sessionId, {
      owner,
      isStopped: () => context.signal.aborted,
      turn: () => ({ question: course.question, answer: course.text }),
    });
  };
  if (request.history.length > 0) return request.history;
  if (request.sessionId === '') {
    course.isNewSession = true;
    enter(newId());
    return [];
  }
  try {
    const unwritten = await openSessions.turns(owner, request.sessionId);
    const turns = await sessions.load(owner, request.sessionId, Math.max(settings.historyTurns, minTurns));
    if (turns === undefined && unwritten === undefined) throw notFound('session', request.sessionId);
    course.isNewSession = turns === undefined;
    enter(request.sessionId);
    return [...(turns ?? []), ...(unwritten ?? [])];
  } catch (error) {
    if (error instanceof ConnectError) throw error;
    throw unavailable('session-store', 'the session cannot be read: try again', error);
  }
}
