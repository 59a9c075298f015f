import { create, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import {
  type CacheService,
  type FillRequest,
  type InvalidateRequest,
  type LookupRequest,
  type LookupResponse,
  LookupResponseSchema,
} from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AnswerEvent, AnswerEventSchema, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { callerOf } from '#kit/context.ts';
import { invalidArgument, rpcError } from '#kit/errors.ts';
import type { Logger } from '#kit/log.ts';
import type { Metrics } from '#kit/metrics.ts';
import { shareMessage } from '#kit/shared-message.ts';
import type { InvalidateTarget, StoredAnswer } from './answer-store.ts';
import type { CacheSettings } from './config.ts';
import type { Flight, Flights } from './flights.ts';
import { holderOf, identityOf } from './identity.ts';
import type { Found, Layers } from './layers.ts';
import { asCached, decodeEvents, encodeEvents, fromLayer, toRecording, withoutCaller } from './recording.ts';
import { createStats } from './stats.ts';

/** What the service is made of. */
export interface CacheParts {
  settings: CacheSettings;
  layers: Layers;
  flights: Flights;
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  newId: () => string;
  metrics: Metrics;
  log: Logger;
}

/** Longest wait for the disk at the end of a fill, in milliseconds. */
const keepTimeoutMs = 2000;

/** Largest answer that is told in one message; the events of a larger one are told one by one. */
const maxHitBytes = 1024 * 1024;

/** A stored answer as it is told. */
interface Recorded {
  hit: LookupResponse;
  events: AnswerEvent[];
}

// Of answers in memory: read once, and told again and again.
const inMemory = new WeakMap<StoredAnswer, Recorded>();

function recordedOf(answer: StoredAnswer, layer: CacheLayer): Recorded {
  const known = layer === CacheLayer.MEMORY ? inMemory.get(answer) : undefined;
  if (known !== undefined) return known;
  const events = decodeEvents(answer.value).map((event) => fromLayer(event, layer));
  const isOneMessage = answer.value.byteLength <= maxHitBytes;
  const value = { layer, storedAt: timestampFromMs(answer.storedAtMs), events: isOneMessage ? events : [] };
  const recorded = { hit: shareMessage(response({ case: 'hit', value })), events };
  if (layer === CacheLayer.MEMORY) inMemory.set(answer, recorded);
  return recorded;
}

/** The rpcs of the cache. */
export function createCache(parts: CacheParts): ServiceImpl<typeof CacheService> {
  const { settings, layers, flights, clock, random, newId, metrics, log } = parts;
  const stats = createStats();

  async function* lookup({ question, scope, refresh }: LookupRequest, context: HandlerContext) {
    const caller = callerOf(context);
    const { tenant } = caller;
    metrics.cacheLookupTotal.inc();
    stats.of(tenant).lookupCount++;
    if (!settings.enabled || scope === undefined) {
      stats.of(tenant).missCount++;
      yield response({ case: 'lease', value: { leaseId: newId(), ttlMs: settings.leaseTtlMs } });
      return;
    }
    const key = identityOf(caller, question, scope);
    const durableMs = Math.min(settings.durableTimeoutMs, (context.timeoutMs() ?? Number.POSITIVE_INFINITY) / 2);
    if (!refresh) {
      let found = await layers.findInMemory(tenant, key);
      if (found === undefined && flights.followable(key) === undefined) {
        found = await layers.findDurable(tenant, key, durableMs);
      }
      if (found !== undefined && (yield* replay(found))) return;

      const leader = flights.followable(key);
      if (leader !== undefined && (yield* follow(leader, context.signal))) return;
    }

    // A follower that was let down once leads by itself, also beside others: it has waited long enough.
    stats.of(tenant).missCount++;
    const corpora = scope.corpora.map(({ corpus }) => corpus);
    const flight = flights.begin({ tenant, key, holder: holderOf(caller), model: scope.model, corpora });
    let isTaken = false;
    try {
      yield response({ case: 'lease', value: { leaseId: flight.leaseId, ttlMs: settings.leaseTtlMs } });
      isTaken = true;
    } finally {
      // A caller that left at the lease never knew of it, or will not use it.
      if (!isTaken) flights.abandon(flight);
    }
  }

  // Resolves to whether the answer was given.
  async function* replay({ answer, layer }: Found) {
    let recorded: Recorded;
    try {
      recorded = recordedOf(answer, layer);
    } catch (error) {
      await layers.drop(answer, error);
      return false;
    }
    const { hit, events } = recorded;
    count(answer.tenant, layer, layer === CacheLayer.MEMORY ? 'memory' : 'durable', events);
    yield hit;
    if (answer.value.byteLength > maxHitBytes)
      for (const event of events) yield response({ case: 'answer', value: event });
    return true;
  }

  // Resolves to whether the answer was given. Where it was not, what was relayed of it is void.
  async function* follow(flight: Flight, signal: AbortSignal) {
    yield response({ case: 'follow', value: { begunAt: timestampFromMs(flight.begunAtMs) } });
    const left = Promise.withResolvers<void>();
    const onAbort = () => left.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for (let index = 0; ; ) {
        const event = flight.events[index];
        if (event !== undefined) {
          index++;
          yield response({ case: 'answer', value: fromLayer(asCached(event), CacheLayer.MEMORY) });
        } else if (flight.state === 'finished') {
          count(flight.tenant, CacheLayer.MEMORY, 'follow', flight.events);
          return true;
        } else if (flight.state === 'abandoned') {
          const isShown = flight.events.some((relayed) => relayed.event.case === 'textDelta');
          if (isShown) yield response({ case: 'answer', value: voidEvent });
          return false;
        } else {
          signal.throwIfAborted();
          await Promise.race([flights.changed(flight), left.promise]);
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  function count(tenant: string, layer: CacheLayer, label: string, events: Parameters<typeof stats.hit>[2]) {
    metrics.cacheHitTotal.inc({ layer: label });
    stats.hit(tenant, layer, events);
  }

  async function fill(requests: AsyncIterable<FillRequest>, context: HandlerContext) {
    const caller = callerOf(context);
    let flight: Flight | undefined;
    try {
      for await (const { part } of requests) {
        if (!settings.enabled) continue;
        if (part.case === 'start') {
          if (flight !== undefined) throw invalidArgument('start comes once, first');
          flight = flights.take(part.value.leaseId, holderOf(caller));
          if (flight === undefined) throw leaseLost();
          // The stream may go quiet for as long as the model thinks, so its end is watched beside its messages.
          const taken = flight;
          context.signal.addEventListener('abort', () => flights.abandon(taken), { once: true });
        } else if (flight === undefined) {
          throw invalidArgument('the first message must be start');
        } else if (part.case === 'answer') {
          const event = withoutCaller(part.value);
          if (flight.events.at(-1)?.event.case === 'done') throw invalidArgument('an event came after done');
          flights.append(flight, event, toBinary(AnswerEventSchema, event).length);
        } else if (part.case === 'commit') {
          return { stored: await commit(flight, part.value.ttlSeconds) };
        } else {
          return { stored: false };
        }
      }
      return { stored: false };
    } finally {
      // Changes nothing for a flight that has finished.
      if (flight !== undefined) flights.abandon(flight);
    }
  }

  async function commit(flight: Flight, ttlSeconds: number): Promise<boolean> {
    if (flight.state !== 'filling') throw leaseLost();
    if (flight.events.at(-1)?.event.case !== 'done') throw invalidArgument('commit came before done');
    flights.finish(flight);
    const recording = flight.isTainted ? undefined : toRecording(flight.events);
    if (recording === undefined) return false;
    // From here on an invalidation no longer finds the flight, and finds the stored answer instead.
    const begunIn = layers.epoch();
    const longestMs = recording.isRefusal ? settings.refusalTtlMs : settings.ttlMs;
    const askedMs = ttlSeconds === 0 ? longestMs : Math.min(longestMs, ttlSeconds * 1000);
    const storedAtMs = clock();
    const answer = {
      tenant: flight.tenant,
      key: flight.key,
      value: encodeEvents(recording.events),
      storedAtMs,
      // Answers that were stored together must not expire together.
      expiresAtMs: storedAtMs + Math.ceil(askedMs * (1 - 0.1 * random())),
      model: flight.model,
      corpora: [...new Set([...flight.corpora, ...recording.corpora])],
      documentIds: recording.documentIds,
    };
    await layers.keep(answer, begunIn, keepTimeoutMs);
    return true;
  }

  return {
    lookup,
    fill,
    async invalidate(request, context) {
      const { tenant } = callerOf(context);
      const target = targetOf(request);
      flights.taint(tenant, target);
      const entryCount = await layers.invalidate(tenant, target);
      log.info({ tenant, target: target.kind, entry_count: entryCount }, 'answers invalidated');
      return { entryCount: BigInt(entryCount) };
    },
    async getStats(_request, context) {
      const { tenant } = callerOf(context);
      const { hits, lookupCount, missCount, savedCompletionTokens, savedCostMicros } = stats.of(tenant);
      return {
        layers: (await layers.usage(tenant)).map(({ layer, entryCount, sizeBytes, evictionCount }) => ({
          layer,
          hitCount: BigInt(hits.get(layer) ?? 0),
          entryCount: BigInt(entryCount),
          sizeBytes: BigInt(sizeBytes),
          evictionCount: BigInt(evictionCount),
        })),
        lookupCount: BigInt(lookupCount),
        missCount: BigInt(missCount),
        savedCompletionTokens,
        savedCostMicros,
      };
    },
  };
}

const voidEvent = create(AnswerEventSchema, {
  event: { case: 'reset', value: { reason: 'the generation that was followed broke off' } },
});

type ResponseEvent = NonNullable<Parameters<typeof create<typeof LookupResponseSchema>>[1]>['event'];

function response(event: ResponseEvent) {
  return create(LookupResponseSchema, { event });
}

function leaseLost() {
  return rpcError(
    Code.Aborted,
    ErrorReason.LEASE_LOST,
    'the lease is lost: it expired, was used, or belongs to another caller',
  );
}

function targetOf({ target }: InvalidateRequest): InvalidateTarget {
  switch (target.case) {
    case 'documentId':
      return { kind: 'document', documentId: target.value };
    case 'corpus':
      return { kind: 'corpus', corpus: target.value };
    case 'model':
      return { kind: 'model', model: target.value };
    case 'all':
      if (!target.value) throw invalidArgument('all must be true');
      return { kind: 'all' };
    case undefined:
      throw invalidArgument('a target is needed');
    default:
      return target satisfies never;
  }
}
