import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type LookupResponse, LookupResponseSchema } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AnswerEvent, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { shareMessage } from '#kit/rpc/messages/shared-message.ts';
import type { StoredAnswer } from './answer-store.ts';
import type { Found } from './layers.ts';
import { decodeEvents, fromLayer } from './recording.ts';

/** Largest answer that is sent in one message, in bytes; the events of a larger one are sent one by one. */
const maxHitBytes = 1024 * 1024;

/** A stored answer as a look-up replies with it. */
export interface Recorded {
  hit: LookupResponse;
  events: AnswerEvent[];
  /** Whether `hit` has the events. */
  isOneMessage: boolean;
}

// Replies of answers in memory: each is decoded once. One map for each kind of reply.
const fresh = new WeakMap<StoredAnswer, Recorded>();
const stale = new WeakMap<StoredAnswer, Recorded>();

/** Returns the reply of a stored answer. Throws ChangedBytesError if it cannot be read. */
export function recordedOf({ answer, layer }: Found, isStale: boolean): Recorded {
  const inMemory = isStale ? stale : fresh;
  const known = layer === CacheLayer.MEMORY ? inMemory.get(answer) : undefined;
  if (known !== undefined) return known;
  const events = decodeEvents(answer.value).map((event) => fromLayer(event, layer));
  const isOneMessage = answer.value.byteLength <= maxHitBytes;
  const storedAt = timestampFromMs(answer.storedAtMs);
  const value = { layer, storedAt, events: isOneMessage ? events : [], stale: isStale };
  const recorded = { hit: shareMessage(responseOf({ case: 'hit', value })), events, isOneMessage };
  if (layer === CacheLayer.MEMORY) inMemory.set(answer, recorded);
  return recorded;
}

type ResponseEvent = NonNullable<Parameters<typeof create<typeof LookupResponseSchema>>[1]>['event'];

/** Returns an event of a look-up. */
export function responseOf(event: ResponseEvent): LookupResponse {
  return create(LookupResponseSchema, { event });
}
