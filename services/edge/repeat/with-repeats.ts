import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import { TraceFlags, trace } from '@opentelemetry/api';
import { decodeJwt } from 'jose';
import { LRUCache } from 'lru-cache';
import type { AskResponse, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { withOwnParts } from '#kit/answers/repeat.ts';
import { within } from '#kit/base/within.ts';
import { accessKey } from '#kit/rpc/access.ts';
import { authorizationOf } from '#kit/rpc/context.ts';
import { createBatches } from './batches.ts';
import { createForms } from './forms.ts';
import { nameOf, type Question } from './question.ts';
import { openLater, watched } from './streams.ts';

type Chat = Pick<Client<typeof ChatService>, 'ask' | 'repeat'>;

/** Tokens whose access is remembered. */
const maxTokens = 10_000;

/**
 * Returns a client of chat whose `ask` sends a question that was answered from the cache as a repeated one: with others of its caller, and
 * without the events of its answer coming back, which are here. Chat checks and records each; what it does not answer so is asked as
 * every question. What callers see is the same. A question whose trace is sampled is always asked, so that its trace has all steps.
 */
export function withRepeats<C extends Chat>(chat: C, clock: () => number): C {
  const forms = createForms(clock);
  const send = createBatches(chat);
  const accesses = new LRUCache<string, string>({ max: maxTokens });

  // The edge has made the token itself.
  const accessOf = (authorization: string): string => {
    let access = accesses.get(authorization);
    if (access === undefined) {
      const { principal } = decodeJwt<{ principal: JsonValue }>(authorization.replace(/^Bearer /i, ''));
      access = accessKey(fromJson(PrincipalSchema, principal));
      accesses.set(authorization, access);
    }
    return access;
  };

  /** Returns the answer; `undefined` if the question must be asked. */
  async function repeat(
    name: string,
    authorization: string,
    ask: { request: Question; form: string; traceId: string },
    signal: AbortSignal | undefined,
  ): Promise<readonly AskResponse[] | undefined> {
    // A failure is the caller's if it comes again when the question is asked.
    const ifOnTime = (error: unknown) => {
      if (signal?.aborted) throw error;
      return undefined;
    };
    const replied = await within(() => send(authorization, ask), { signals: [signal] }).catch(ifOnTime);
    const form = replied && forms.take(name, replied.answer.form, replied.batch.forms);
    if (replied === undefined || form === undefined) {
      forms.refuse(name);
      return undefined;
    }
    const { answerId, latencyUs, ending } = replied.answer;
    return [...withOwnParts(form.responses, { answerId, latencyUs: Number(latencyUs) }), ...ending];
  }

  return {
    ...chat,
    ask(request: Question, options: CallOptions = {}) {
      const authorization = authorizationOf(options.headers);
      const span = trace.getActiveSpan()?.spanContext();
      const isSampled = span !== undefined && (span.traceFlags & TraceFlags.SAMPLED) !== 0;
      const name = authorization && !isSampled ? nameOf(request, accessOf(authorization)) : undefined;
      if (authorization === undefined || name === undefined) return chat.ask(request, options);
      const form = forms.nameFor(name);
      if (form === undefined) {
        if (!forms.mayLearn(name)) return chat.ask(request, options);
        return watched(chat.ask(request, options), (response) => isFromMemory(response) && forms.learn(name));
      }
      const ask = { request, form, traceId: span?.traceId ?? '' };
      return openLater(
        async () => (await repeat(name, authorization, ask, options.signal)) ?? chat.ask(request, options),
      );
    },
  };
}

const isFromMemory = ({ event }: AskResponse): boolean =>
  event.case === 'done' && event.value.cacheLayer === CacheLayer.MEMORY;
