import type { HandlerContext } from '@connectrpc/connect';
import type { AskRequest, AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import { streamInSpan } from '#kit/base/span.ts';
import { activeTraceId } from '#kit/host/telemetry.ts';
import { callerOf } from '#kit/rpc/context.ts';
import { type Asking, type AskParts, answer } from './answer.ts';
import { createCourse, respond } from './course.ts';
import { detach } from './detached.ts';
import { shownWhile } from './lookup.ts';
import { settle, toDone } from './settle.ts';

/** Creates the rpc Ask: a question from its arrival to its records. */
export function createAsk(parts: AskParts) {
  return (request: AskRequest, context: HandlerContext): AsyncIterable<AskResponse> =>
    streamInSpan('chat.request', {}, () => ask(parts, request, context));
}

async function* ask(parts: AskParts, request: AskRequest, context: HandlerContext): AsyncGenerator<AskResponse> {
  const { settings, clients, sessions, detached, newId, clock, metrics, log } = parts;
  const owner = callerOf(context);
  if (request.sessionId !== '' && request.history.length > 0) {
    throw invalidArgument('history is for callers that keep it themselves: leave out session_id, or history');
  }
  const course = createCourse({ answerId: newId(), question: request.question, askedAtMs: clock() }, metrics);
  const asking: Asking = {
    parts,
    request,
    context,
    course,
    recorder: undefined,
    catchUp: undefined,
    leaveSession: () => {},
  };
  const traceId = activeTraceId();
  let recording: Promise<AskResponse[] | undefined> | undefined;
  // Records outlive the call: a caller that leaves does not undo them.
  const record = () => {
    recording ??= detached.run('recording an answer', async () => {
      const { recordTimeoutMs: timeoutMs } = settings;
      const options = detach(context, timeoutMs);
      const { recorder } = asking;
      const { audit } = clients;
      try {
        return await settle(course, { audit, sessions, log, owner, options, timeoutMs, recorder, traceId });
      } finally {
        asking.leaveSession();
      }
    });
    return recording;
  };
  const route = () => (course.cacheLayer === CacheLayer.UNSPECIFIED ? 'generate' : 'cache');
  try {
    for await (const said of answer(asking)) {
      for (const response of Array.isArray(said) ? (said as AskResponse[]) : [said as AskResponse]) {
        course.note(response);
        asking.recorder?.record(response);
        if (asking.catchUp === undefined) yield response;
        else yield* shownWhile(asking.catchUp, response);
      }
    }
    yield* (await record()) ?? [];
    metrics.requestLatencyMs.observe({ route: route() }, course.elapsedUs() / 1000);
    const done = respond({ case: 'done', value: toDone(course, traceId) });
    if (asking.catchUp === undefined) yield done;
    else yield* shownWhile(asking.catchUp, done);
  } finally {
    metrics.requestTotal.inc({ tenant: owner.tenant, route: route(), model: course.model });
    // Before `started` nobody knows of the answer or its session.
    if (course.isStarted) void record();
    else asking.leaveSession();
  }
}
