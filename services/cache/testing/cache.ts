import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import type {
  CacheScopeSchema,
  CacheService,
  FillRequestSchema,
  LookupResponse,
} from '#gen/ragmesh/cache/v1/cache_pb.ts';
import {
  type AnswerEvent,
  type AnswerEventSchema,
  AnswerOutcome,
  type CacheLayer,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { collect } from '#kit/base/streams.ts';
import type { AnswerStoreDeps } from '../answers/answer-store.ts';

/** A client of the cache. */
export type CacheClient = Client<typeof CacheService>;
export type Scope = MessageInitShape<typeof CacheScopeSchema>;
export type Event = MessageInitShape<typeof AnswerEventSchema>;
type Part = MessageInitShape<typeof FillRequestSchema>;

/** A scope for tests: one corpus at one revision. */
export const scopeOf = (init: Partial<Scope> = {}): Scope =>
  ({ corpora: [{ corpus: 'help', revision: 'r1' }], promptVersion: 'p1', model: 'm', ...init }) as Scope;

/** What a look-up ended with. */
export interface Looked {
  /** Kinds of its events in order; answer events by their own kind. */
  kinds: string[];
  text: string;
  leaseId: string | undefined;
  layer: CacheLayer | undefined;
  messages: LookupResponse[];
}

/** Events of a whole answer that says `text` about document `documentId`. */
export function answerEvents(
  text: string,
  init: { documentId?: string; corpus?: string; outcome?: AnswerOutcome; verified?: boolean } = {},
): Event[] {
  const { documentId = 'd1', corpus = 'help', outcome = AnswerOutcome.ANSWERED, verified = true } = init;
  const cited = { chunkId: `${documentId}#0`, documentId, corpus };
  return [
    { event: { case: 'sources', value: { passages: [{ ...cited, text: 'evidence' }] } } },
    ...[...text].map((piece): Event => ({ event: { case: 'textDelta', value: { text: piece } } })),
    { event: { case: 'citation', value: { marker: 1, ...cited } } },
    { event: { case: 'usage', value: { promptTokens: 100n, completionTokens: 7n, costMicros: 11n, currency: 'USD' } } },
    {
      event: {
        case: 'done',
        value: {
          ...{ outcome, verified, answerId: 'leader-answer', sessionId: 'leader-session', traceId: 'f'.repeat(32) },
          model: 'm',
        },
      },
    },
  ];
}

/** Looks up, to the end of the stream. */
export async function lookUp(
  client: CacheClient,
  options: CallOptions,
  question: string,
  scope = scopeOf(),
  refresh = false,
): Promise<Looked> {
  return toLooked(await collect(client.lookup({ question, scope, refresh }, options)));
}

/** Sums up the messages of a look-up. */
export function toLooked(messages: LookupResponse[]): Looked {
  const looked: Looked = { kinds: [], text: '', leaseId: undefined, layer: undefined, messages };
  const look = ({ event: answer }: AnswerEvent) => {
    looked.kinds.push(answer.case ?? 'none');
    if (answer.case === 'textDelta') looked.text += answer.value.text;
    if (answer.case === 'reset') looked.text = '';
  };
  for (const { event } of messages) {
    if (event.case !== 'answer') looked.kinds.push(event.case ?? 'none');
    if (event.case === 'lease') looked.leaseId = event.value.leaseId;
    if (event.case === 'hit') {
      looked.layer = event.value.layer;
      event.value.events.forEach(look);
    }
    if (event.case === 'answer') look(event.value);
  }
  return looked;
}

/** Fills a lease with events; resolves to whether they were stored. */
export async function fillWith(
  client: CacheClient,
  options: CallOptions,
  leaseId: string,
  events: Event[],
  last: Part['part'] = { case: 'commit', value: {} },
): Promise<boolean> {
  async function* parts(): AsyncGenerator<Part> {
    yield { part: { case: 'start', value: { leaseId } } };
    for (const event of events) yield { part: { case: 'answer', value: event } };
    if (last?.case !== undefined) yield { part: last };
  }
  return (await client.fill(parts() as never, options)).stored;
}

/** What an answer store receives in tests: no database, a silent log, no listener; `init` changes that. */
export function storeDeps(init: Partial<AnswerStoreDeps> = {}): AnswerStoreDeps {
  return {
    maxBytes: 1_000_000,
    clock: () => 0,
    random: Math.random,
    log: createLogger('silent'),
    listener: { epoch() {}, invalidated() {}, attached() {} },
    openDatabase: () => Promise.reject(new Error('no database here')),
    ...init,
  };
}
