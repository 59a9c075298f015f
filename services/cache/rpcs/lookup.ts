import { toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { CacheScopeSchema, type LookupRequest, type LookupResponse } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AnswerEvent, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { holderOf, identityOf } from '../answers/key.ts';
import { labelsOfScope } from '../answers/labels.ts';
import type { Found } from '../answers/layers.ts';
import { fromLayer } from '../answers/recording.ts';
import { type Recorded, recordedOf, responseOf } from '../answers/replay.ts';
import type { Flight } from '../flights/flight.ts';
import { createFollowed } from '../flights/follow.ts';
import type { CacheParts } from '../service.ts';

// Labels of metrics, made once.
const memoryLabels = { hit: { layer: 'memory' }, result: { result: 'memory' } };
const durableLabels = { hit: { layer: 'durable' }, result: { result: 'durable' } };
const semanticLabels = { hit: { layer: 'semantic' }, result: { result: 'semantic' } };
const labelsOf = (layer: CacheLayer) =>
  layer === CacheLayer.MEMORY ? memoryLabels : layer === CacheLayer.DURABLE ? durableLabels : semanticLabels;
const followHit = { layer: 'follow' };
const followResult = { result: 'follow' };
const missResult = { result: 'miss' };

/** Creates the rpc Lookup. */
export function createLookup({ settings, layers, flights, meaning, clock, newId, metrics, stats }: CacheParts) {
  const begun = (startedAt: number, labels: { result: string }) =>
    metrics.cacheLookupMs.observe(labels, performance.now() - startedAt);

  const lease = (tenant: string, leaseId: string, startedAt: number): LookupResponse => {
    metrics.cacheMissTotal.inc();
    stats.of(tenant).missCount++;
    begun(startedAt, missResult);
    return responseOf({ case: 'lease', value: { leaseId, ttlMs: settings.leaseTtlMs } });
  };

  async function* lookup({ question, scope, refresh }: LookupRequest, context: CallContext) {
    const startedAt = performance.now();
    const caller = context.principal;
    const { tenant } = caller;
    metrics.cacheLookupTotal.inc();
    stats.of(tenant).lookupCount++;
    if (!settings.enabled || scope === undefined) {
      yield lease(tenant, newId(''), startedAt);
      return;
    }
    const key = identityOf(caller, question, scope);
    let stale: Found | undefined;
    if (!refresh) {
      let found = await layers.findInMemory(tenant, key);
      if (found !== undefined && found.answer.staleAtMs > clock()) {
        if (yield* replay(found, false, startedAt)) return;
        found = undefined;
      }
      stale = found;
      if (flights.followable(key) === undefined) {
        const left = context.timeoutMs() ?? Number.POSITIVE_INFINITY;
        // Again in memory, after all: a generation may have ended while the durable store was asked.
        const below =
          (await layers.findDurable(tenant, key, Math.min(settings.durableTimeoutMs, left / 2))) ??
          (await layers.findInMemory(tenant, key));
        if (below !== undefined && below.answer.staleAtMs > clock()) {
          if (yield* replay(below, false, startedAt)) return;
        } else stale = below ?? stale;
      }
    }
    const init = {
      tenant,
      key,
      question,
      holder: holderOf(caller),
      labels: labelsOfScope(caller, question, scope),
      scope: toBinary(CacheScopeSchema, scope),
      epoch: layers.epoch(tenant).stored,
      isRefresh: refresh || stale !== undefined,
    };
    // Whoever follows leads in the end, or is given the answer: each round ends with a flight.
    const followed = createFollowed();
    for (let round = 0; ; round++) {
      const { flight, leads } = await flights.enter(init, refresh);
      if (leads) {
        let isTaken = false;
        try {
          const similar =
            refresh || stale !== undefined
              ? undefined
              : await meaning?.find(flight, caller, scope, context, settings.durableTimeoutMs);
          if (similar !== undefined && (yield* share(flight, similar, startedAt))) return;
          yield lease(tenant, flight.leaseId, startedAt);
          isTaken = true;
        } finally {
          // A caller that left at the lease never knew of it, or will not use it.
          if (!isTaken) flight.end('abandoned');
        }
        return;
      }
      const leave = flight.follow();
      try {
        // Another caller makes the answer new; until then, the old one is good enough.
        if (stale !== undefined && (yield* replay(stale, true, startedAt))) return;
        stale = undefined;
        if (round === 0) {
          begun(startedAt, followResult);
          yield responseOf({ case: 'follow', value: { begunAt: timestampFromMs(flight.begunAtMs) } });
        }
        if (yield* relay(flight)) return;
      } finally {
        leave();
      }
    }

    // Resolves to whether the flight has finished.
    async function* relay(flight: Flight) {
      const events = followed.relay(flight, context.signal);
      for (;;) {
        const { done, value } = await events.next();
        if (done !== true) yield responseOf({ case: 'answer', value: fromLayer(value, CacheLayer.MEMORY) });
        else {
          if (value) {
            metrics.cacheHitTotal.inc(followHit);
            stats.follow(tenant, flight.events);
          }
          return value;
        }
      }
    }
  }

  // An answer to a question of the same meaning: for the caller, and for whoever follows it. Resolves to whether it was given.
  async function* share(flight: Flight, similar: Found, startedAt: number) {
    const isGiven = yield* replay(similar, false, startedAt, (events) => {
      for (const event of events) flight.append(event, 0);
      flight.end('finished');
    });
    return isGiven;
  }

  // Resolves to whether the answer was given.
  async function* replay(
    found: Found,
    isStale: boolean,
    startedAt: number,
    onRead?: (events: readonly AnswerEvent[]) => void,
  ) {
    const { answer, layer } = found;
    let recorded: Recorded;
    try {
      recorded = recordedOf(found, isStale);
    } catch (error) {
      await layers.drop(answer.tenant, answer.key, error);
      return false;
    }
    const { hit, events, isOneMessage } = recorded;
    onRead?.(events);
    const labels = labelsOf(layer);
    metrics.cacheHitTotal.inc(labels.hit);
    begun(startedAt, labels.result);
    stats.hit(answer.tenant, layer, events, isStale);
    yield hit;
    if (!isOneMessage) for (const event of events) yield responseOf({ case: 'answer', value: event });
    return true;
  }

  return lookup;
}
