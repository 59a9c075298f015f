import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import { Counter, Gauge } from 'prom-client';
import { type AuditService, type ModelUsageSchema, RecordUsageRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Metrics } from '#kit/base/metrics/metrics.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { TokenSigner } from '#kit/rpc/identity.ts';
import { createIsolatedEntries } from './isolated-entries.ts';
import { failureOf, fieldsOf, isOfOne, type Pending, takeBatch } from './ledger-entry.ts';
import {
  backoffMs,
  type DeliveryBounds,
  type DeliveryEvent,
  initialDelivery,
  maxInFlight,
  next,
  stepAfter,
} from './ledger-state.ts';

/** The usage of a request, for the ledger of audit. */
export interface LedgerEntry {
  /** Id of the request, 1 to 64 characters; the ledger accepts it once in a tenant. */
  requestId: string;
  /** The usage of each charged attempt, at most 64; an entry without usage is not recorded. */
  usages: MessageInitShape<typeof ModelUsageSchema>[];
  /** When the request arrived, in milliseconds since 1970. */
  requestedAt: number;
  /** 32 hex digits; empty: none. */
  traceId: string;
  /** What the model was called for: "answer", "rewrite", …; absent: not known. */
  purpose?: string;
  /** Cost centre that pays; absent: none. */
  costCentre?: string;
}

/** Delivers usage to the ledger of audit at least once. A request never waits for it. */
export interface Ledger {
  /** Queues an entry. It is delivered as the caller of `context`, whose call may be over by then. */
  record(entry: LedgerEntry, context: CallContext): void;
  /** Entries that wait or are in flight. */
  readonly pending: number;
  /** Resolves when nothing is pending. */
  idle(): Promise<void>;
  /** Delivers what is pending for at most `closeMs`; then it drops and logs the rest. */
  close(): Promise<void>;
}

/** What the ledger depends on. */
export interface LedgerDeps {
  audit: Pick<Client<typeof AuditService>, 'recordUsage' | 'recordAllUsage'>;
  log: Logger;
  metrics: Metrics;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  /** Signs a new token for a caller whose own has expired; without it, such an entry is dropped. */
  signer?: TokenSigner | undefined;
}

/** Bounds of the ledger. */
export interface LedgerBounds {
  /** Entries that may be pending; more are dropped. @default 10000 */
  maxPending?: number;
  /** Entries in flight. @default 128 */
  maxSending?: number;
  /** Entries that follow one another are gathered for this time, in milliseconds. @default 50 */
  gatherMs?: number;
  /** Timeout of one delivery, in milliseconds. @default 5000 */
  timeoutMs?: number;
  /** First and longest backoff after a failure, in milliseconds. @default 100 and 5000 */
  backoffMs?: number;
  maxBackoffMs?: number;
  /** Attempts at an entry that fails while audit accepts others; then it is dropped. @default 16 */
  maxAttempts?: number;
  /** Time to deliver what is pending when the ledger closes, in milliseconds. @default 5000 */
  closeMs?: number;
}

const defaults: Required<LedgerBounds> = {
  maxPending: 10_000,
  maxSending: 128,
  gatherMs: 50,
  timeoutMs: 5000,
  backoffMs: 100,
  maxBackoffMs: 5000,
  maxAttempts: 16,
  closeMs: 5000,
};

/** Creates the client of the ledger: it sends entries when `ledger-state.ts` allows it, and reports the results to it. */
export function createLedger(deps: LedgerDeps, given: LedgerBounds = {}): Ledger {
  const { audit, log, clock, random, signer } = deps;
  const bounds = { ...defaults, ...given };
  const queue: Pending[] = [];
  const sending = new Set<Pending>();
  const stopped = new AbortController();
  const idleWaiters: (() => void)[] = [];
  let deliveredCount = 0;

  const pendingCount = () => queue.length + isolated.size + sending.size;
  const count = createLedgerMetrics(deps.metrics, pendingCount);
  const drop = (entry: Pending, why: string, error?: unknown) => {
    count.inc({ outcome: 'dropped' });
    log.error({ err: error, event: 'ledger_entry_dropped', why, ...fieldsOf(entry) }, 'usage not in the ledger');
  };
  const applyAndSend = (event: DeliveryEvent) => {
    delivery.apply(event);
    sendQueued();
  };
  const delivery = createDelivery(bounds, applyAndSend);
  const sendQueued = () => {
    for (;;) {
      const room = maxInFlight(delivery.state, bounds) - sending.size;
      const batch = room > 0 ? takeBatch(queue, room) : [];
      if (batch.length === 0) break;
      for (const entry of batch) sending.add(entry);
      void send(batch);
    }
    if (pendingCount() > 0) return;
    for (const resolve of idleWaiters.splice(0)) resolve();
  };
  const call = ([first, ...others]: Pending[]) => {
    const { request, authorization } = first as Pending;
    const options = { timeoutMs: bounds.timeoutMs, signal: stopped.signal, headers: { authorization } };
    if (others.length === 0) return audit.recordUsage(request, options);
    return audit.recordAllUsage({ requests: [request, ...others.map((entry) => entry.request)] }, options);
  };
  const send = async (batch: Pending[]) => {
    for (const entry of batch) entry.attempts += 1;
    try {
      await call(batch);
      delivery.apply({ kind: 'delivered' });
      deliveredCount += batch.length;
      count.inc({ outcome: 'delivered' }, batch.length);
      // Audit accepts an entry that it has failed on before: audit was at fault, and not the entries.
      if (batch.some(({ deliveredBefore }) => deliveredBefore !== undefined)) queue.push(...isolated.takeAll());
    } catch (error) {
      if (batch.length > 1 && !stopped.signal.aborted && isOfOne(error)) {
        // One of them is at fault, or audit is of an earlier release: each by itself shows which.
        for (const entry of batch) Object.assign(entry, { isAlone: true, attempts: entry.attempts - 1 });
        queue.push(...batch);
      } else {
        const dropped = (entry: Pending, failure: unknown) =>
          drop(entry, 'no token for the caller can be signed', failure);
        for (const entry of batch) await onFailed(entry, error).catch((failure) => dropped(entry, failure));
      }
    } finally {
      for (const entry of batch) sending.delete(entry);
      sendQueued();
    }
  };
  const onFailed = async (entry: Pending, error: unknown) => {
    if (stopped.signal.aborted) return drop(entry, 'the process ended', error);
    const failure = failureOf(error, entry);
    if (failure === 'failed') {
      entry.deliveredBefore ??= deliveredCount;
      entry.isAlone = true;
    }
    const othersWereDelivered = deliveredCount > (entry.deliveredBefore ?? deliveredCount);
    const { attempts } = entry;
    const { maxAttempts } = bounds;
    const step = stepAfter(failure, { attempts, maxAttempts, othersWereDelivered, canSign: signer !== undefined });
    if (step.kind === 'drop') return drop(entry, step.why, error);
    if (step.kind === 'sign' && signer !== undefined) {
      // Audit did not answer for longer than the caller's token is valid.
      entry.isResigned = true;
      entry.authorization = `Bearer ${await signer.sign(entry.principal)}`;
    }
    count.inc({ outcome: 'retried' });
    if (step.kind === 'isolate') return isolated.add(entry);
    queue.push(entry);
    if (step.kind === 'sign') return;
    if (delivery.state.failureCount === 0 && delivery.state.backoff === undefined) {
      log.warn(
        { err: error, event: 'ledger_unavailable', pending: pendingCount() },
        'ledger unavailable, retry follows',
      );
    }
    delivery.apply({ kind: 'unavailable', random: random() });
  };
  const isolated = createIsolatedEntries({
    log,
    backoffMs: (attempts) => backoffMs(attempts, random(), delivery.state.isClosing, bounds),
    retry(entry) {
      queue.push(entry);
      sendQueued();
    },
  });
  const idle = () => {
    if (pendingCount() === 0) return Promise.resolve();
    return new Promise<void>((resolve) => idleWaiters.push(resolve));
  };

  return {
    record(entry, context) {
      if (entry.usages.length === 0) return;
      const pending = toPending(entry, context, clock);
      if (delivery.state.isClosing) return drop(pending, 'the process is ending');
      if (pendingCount() >= bounds.maxPending) return drop(pending, `${bounds.maxPending} entries wait already`);
      queue.push(pending);
      applyAndSend({ kind: 'recorded', now: performance.now(), queuedCount: queue.length });
    },
    get pending() {
      return pendingCount();
    },
    idle,
    async close() {
      queue.push(...isolated.takeAll());
      applyAndSend({ kind: 'closing', now: performance.now() });
      const timer = setTimeout(() => {
        stopped.abort();
        delivery.stop();
        for (const entry of [...queue.splice(0), ...isolated.takeAll()]) drop(entry, 'the process ended');
        sendQueued();
      }, bounds.closeMs);
      await idle();
      clearTimeout(timer);
    },
  };
}

/** Holds the state of the delivery, and runs its two timers. `onDue` receives the event of a timer. */
function createDelivery(bounds: DeliveryBounds, onDue: (event: DeliveryEvent) => void) {
  let state = initialDelivery;
  let gathering: NodeJS.Timeout | undefined;
  let backoff: NodeJS.Timeout | undefined;
  return {
    get state() {
      return state;
    },
    apply(event: DeliveryEvent) {
      const before = state;
      state = next(state, event, bounds);
      if (state.gather !== before.gather) {
        clearTimeout(gathering);
        const onTime = () => onDue({ kind: 'gathered', now: performance.now() });
        gathering = state.gather && setTimeout(onTime, state.gather.ms);
      }
      if (state.backoff !== before.backoff) {
        clearTimeout(backoff);
        backoff = state.backoff && setTimeout(() => onDue({ kind: 'backoff-ended' }), state.backoff.ms);
      }
    },
    /** Stops the timers. */
    stop() {
      clearTimeout(gathering);
      clearTimeout(backoff);
    },
  };
}

function toPending(entry: LedgerEntry, { principal, authorization }: CallContext, clock: () => number): Pending {
  const { requestId, usages, requestedAt, traceId, purpose = '', costCentre = '' } = entry;
  const at = timestampFromMs(requestedAt || clock());
  return {
    request: create(RecordUsageRequestSchema, { requestId, usages, requestedAt: at, traceId, purpose, costCentre }),
    principal,
    authorization,
    isResigned: false,
    isAlone: false,
    attempts: 0,
    deliveredBefore: undefined,
  };
}

function createLedgerMetrics({ registry }: Metrics, pendingCount: () => number) {
  const registers = [registry];
  new Gauge({
    name: 'ragmesh_llm_ledger_pending',
    help: 'Entries that wait for the usage ledger',
    registers,
    collect() {
      this.set(pendingCount());
    },
  });
  const entries = new Counter({
    name: 'ragmesh_llm_ledger_total',
    help: 'Entries for the usage ledger: delivered, retried (each time), dropped',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of ['delivered', 'retried', 'dropped']) entries.inc({ outcome }, 0);
  return entries;
}
