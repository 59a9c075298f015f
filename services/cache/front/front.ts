import type { Client } from '@connectrpc/connect';
import type { CacheService, LookupRequest, LookupResponse } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { FrontDeps } from '#kit/host/define-service.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { AnswerStore, StoredAnswer } from '../answers/answer-store.ts';
import { identityOf } from '../answers/key.ts';
import { type Recorded, recordedOf, responseOf } from '../answers/replay.ts';
import type { CacheMetrics } from '../metrics.ts';
import { createStats } from '../rpcs/stats.ts';
import type { CachePort } from './port.ts';

/** What a front is made of. */
export interface FrontParts {
  /** The cache of the owner. */
  owner: Client<typeof CacheService>;
  port: CachePort;
  /** Copies of the owner's answers. */
  memory: AnswerStore;
  untilChanged: FrontDeps<unknown>['untilChanged'];
  clock: () => number;
  metrics: CacheMetrics;
  log: Logger;
}

/** The rpcs that a front has. */
export interface Front {
  impl: Pick<ServiceHandlers<typeof CacheService>, 'lookup' | 'getStats'>;
  close(): Promise<void>;
}

/** Time after which served answers are reported to the owner, in milliseconds. */
const countEveryMs = 1000;

/**
 * Creates the front of the cache in a worker: it serves copies of fresh answers that the owner has in memory. Before each use of a copy it
 * finds out what has changed there, so a copy is served only while the owner would serve the answer itself. All else is the owner's.
 */
export function createFront({ owner, port, memory, untilChanged, clock, metrics, log }: FrontParts): Front {
  /** By tenant, the position of the owner's changes up to which the copies are valid. */
  const positions = new Map<string, number>();
  const stats = createStats();
  let timer: NodeJS.Timeout | undefined;

  /** Forgets the copies that are not valid any more. */
  const forgetChanged = untilChanged(async (tenant) => {
    const { position, targets } = await port.news(tenant, positions.get(tenant) ?? 0);
    for (const target of targets) await memory.invalidate(tenant, target);
    positions.set(tenant, Math.max(position, positions.get(tenant) ?? 0));
  });

  /** Returns the copy of an answer, if the owner still has it as it is here. */
  async function find(tenant: string, key: string): Promise<StoredAnswer | undefined> {
    const isFresh = (answer: StoredAnswer | undefined) => answer !== undefined && answer.staleAtMs > clock();
    if (!isFresh(await memory.get(tenant, key))) return undefined;
    await forgetChanged(tenant);
    const answer = await memory.get(tenant, key);
    return isFresh(answer) ? answer : undefined;
  }

  async function makeCopy(tenant: string, key: string): Promise<void> {
    const { answer, position } = await port.copy(tenant, key);
    const known = positions.get(tenant);
    if (answer === undefined || (known !== undefined && known > position)) return;
    if (known === undefined) positions.set(tenant, position);
    // Bytes that came share memory with much else that came.
    await memory.put({ ...answer, value: Uint8Array.from(answer.value), scope: Uint8Array.from(answer.scope) });
  }

  function read(answer: StoredAnswer): Recorded | undefined {
    try {
      return recordedOf({ answer, layer: CacheLayer.MEMORY }, false);
    } catch {
      // The owner finds out about its own bytes, and reports them.
      return undefined;
    }
  }

  async function report(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    for (const [tenant, served] of stats.take()) await port.count(tenant, served);
  }
  const reportLater = () => {
    timer ??= setTimeout(() => {
      report().catch((error: unknown) => log.warn({ event: 'cache_counts_lost', err: error }, 'counts of hits lost'));
    }, countEveryMs).unref();
  };

  /** Replies with the copy of an answer, which is given `useCount` times. Returns whether there is one. */
  async function* replay(key: string, tenant: string, useCount: number): AsyncGenerator<LookupResponse, boolean> {
    const startedAtMs = performance.now();
    const answer = await find(tenant, key);
    const recorded = answer && read(answer);
    if (recorded === undefined) return false;
    metrics.cacheLookupTotal.inc(useCount);
    metrics.cacheHitTotal.inc(hit, useCount);
    stats.of(tenant).lookupCount += useCount;
    for (let use = 0; use < useCount; use++) {
      metrics.cacheLookupMs.observe(result, performance.now() - startedAtMs);
      stats.hit(tenant, CacheLayer.MEMORY, recorded.events, false);
    }
    reportLater();
    yield recorded.hit;
    if (!recorded.isOneMessage) for (const event of recorded.events) yield responseOf({ case: 'answer', value: event });
    return true;
  }

  async function* lookup(request: LookupRequest, context: CallContext): AsyncGenerator<LookupResponse> {
    const { principal } = context;
    const { question, scope, refresh, repeatCount } = request;
    const key = scope === undefined || refresh ? undefined : identityOf(principal, question, scope);
    const isCopied = key !== undefined && (yield* replay(key, principal.tenant, repeatCount || 1));
    // An answer that is given again is in memory here, or is none.
    if (isCopied || repeatCount > 0) return;
    let isHit = false;
    for await (const response of owner.lookup(request, context.forward())) {
      const { event } = response;
      isHit ||= event.case === 'hit' && !event.value.stale;
      yield response;
    }
    if (isHit && key !== undefined) {
      makeCopy(principal.tenant, key).catch((error: unknown) =>
        log.debug({ event: 'cache_copy_failed', err: error }, 'copy of an answer failed'),
      );
    }
  }

  return {
    impl: {
      lookup,
      async getStats(request, context) {
        await report();
        return owner.getStats(request, context.forward());
      },
    },
    async close() {
      await report().catch(() => {});
      await memory.close();
    },
  };
}

// Labels of metrics, made once.
const hit = { layer: 'memory' };
const result = { result: 'memory' };
