import { toBinary } from '@bufbuild/protobuf';
import { type CacheScope, CacheScopeSchema, type LookupRequest } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { AnswerEvent } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { holderOf, identityOf } from '../answers/key.ts';
import { labelsOfScope } from '../answers/labels.ts';
import type { Found } from '../answers/layers.ts';
import type { Flight, FlightInit } from '../flights/flight.ts';
import { createFollowed, type Followed } from '../flights/follow.ts';
import { createReplies } from './replies.ts';
import type { RpcDeps } from './rpc-deps.ts';

/** A look-up that no fresh stored answer served. */
interface Missed {
  readonly caller: Principal;
  readonly scope: CacheScope;
  readonly context: CallContext;
  readonly startedAtMs: number;
  /** The caller wants a new answer in any case. */
  readonly isRefresh: boolean;
}

/** Creates the rpc Lookup: a stored answer, the events of a flight, or a lease to generate. */
export function createLookup(deps: RpcDeps) {
  const { settings, layers, flights, meaning, clock, newId, metrics, stats } = deps;
  const replies = createReplies(deps);
  const isFresh = (found: Found | undefined): found is Found => found !== undefined && found.answer.staleAtMs > clock();

  /** Replies with an answer in memory that is given again, if there is one. */
  async function* repeat({ question, scope, repeatCount }: LookupRequest, caller: Principal) {
    const startedAtMs = performance.now();
    if (!settings.enabled || scope === undefined) return;
    const { tenant } = caller;
    const found = await layers.findInMemory(tenant, identityOf(caller, question, scope));
    if (!isFresh(found)) return;
    if (!(yield* replies.replay(found, false, startedAtMs, { useCount: repeatCount }))) return;
    metrics.cacheLookupTotal.inc(repeatCount);
    stats.of(tenant).lookupCount += repeatCount;
  }

  async function* lookup({ question, scope, refresh }: LookupRequest, context: CallContext) {
    const startedAtMs = performance.now();
    const caller = context.principal;
    const { tenant } = caller;
    metrics.cacheLookupTotal.inc();
    stats.of(tenant).lookupCount++;
    if (!settings.enabled || scope === undefined) {
      yield replies.lease(tenant, newId(''), startedAtMs);
      return;
    }
    const key = identityOf(caller, question, scope);
    let stale: Found | undefined;
    if (!refresh) {
      const found = await layers.findInMemory(tenant, key);
      if (!isFresh(found)) stale = found;
      else if (yield* replies.replay(found, false, startedAtMs)) return;
      if (flights.followable(key) === undefined) {
        const below = await findBelow(tenant, key, context);
        if (!isFresh(below)) stale = below ?? stale;
        else if (yield* replies.replay(below, false, startedAtMs)) return;
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
    yield* join(init, { caller, scope, context, startedAtMs, isRefresh: refresh }, stale);
  }

  /** Returns the answer of the durable store, or of memory again: a flight may have finished while the durable store was read. */
  async function findBelow(tenant: string, key: string, context: CallContext): Promise<Found | undefined> {
    const leftMs = context.timeoutMs() ?? Number.POSITIVE_INFINITY;
    const durable = await layers.findDurable(tenant, key, Math.min(settings.durableTimeoutMs, leftMs / 2));
    return durable ?? layers.findInMemory(tenant, key);
  }

  /** Leads the key or follows who does. A round ends with its flight, so a follower gets the answer or leads in the end. */
  async function* join(init: FlightInit, missed: Missed, stale: Found | undefined) {
    const followed = createFollowed();
    for (let round = 0; ; round++) {
      const { flight, leads } = await flights.enter(init, missed.isRefresh);
      if (leads) {
        yield* lead(flight, missed, stale !== undefined);
        return;
      }
      if (yield* follow(followed, flight, missed, round === 0 ? stale : undefined, round === 0)) return;
      stale = undefined;
    }
  }

  /** Replies with an answer to a question of the same meaning, or with a lease. */
  async function* lead(flight: Flight, missed: Missed, hasStale: boolean) {
    const { caller, scope, context, startedAtMs, isRefresh } = missed;
    let isTaken = false;
    try {
      const similar =
        isRefresh || hasStale
          ? undefined
          : await meaning?.find(flight, caller, scope, context, settings.durableTimeoutMs);
      if (similar !== undefined && (yield* share(flight, similar, startedAtMs))) return;
      yield replies.lease(flight.tenant, flight.leaseId, startedAtMs);
      isTaken = true;
    } finally {
      // A caller that left at its lease does not use it.
      if (!isTaken) flight.end('abandoned');
    }
  }

  /** Follows a flight, or serves the stale answer while another caller replaces it. Returns whether the caller has its answer. */
  async function* follow(
    followed: Followed,
    flight: Flight,
    { context, startedAtMs }: Missed,
    stale: Found | undefined,
    isFirst: boolean,
  ) {
    const leave = flight.follow();
    try {
      if (stale !== undefined && (yield* replies.replay(stale, true, startedAtMs))) return true;
      if (isFirst) yield replies.follow(flight, startedAtMs);
      return yield* replies.relay(followed, flight, context.signal);
    } finally {
      leave();
    }
  }

  /** Replies with an answer of the same meaning, to the caller and to the followers of its flight. */
  function share(flight: Flight, similar: Found, startedAtMs: number) {
    const onRead = (events: readonly AnswerEvent[]) => {
      for (const event of events) flight.append(event, 0);
      flight.end('finished');
    };
    return replies.replay(similar, false, startedAtMs, { onRead });
  }

  return (request: LookupRequest, context: CallContext) =>
    request.repeatCount > 0 ? repeat(request, context.principal) : lookup(request, context);
}
