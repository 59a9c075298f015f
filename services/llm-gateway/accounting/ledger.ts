import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import { Counter, Gauge } from 'prom-client';
import { type AuditService, type ModelUsageSchema, RecordUsageRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Metrics } from '#kit/base/metrics.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { TokenSigner } from '#kit/rpc/identity.ts';
import { failureOf, fieldsOf, type Pending } from './ledger-entry.ts';

/** What a request has cost, on its way to the ledger of audit. */
export interface LedgerEntry {
  /** Id of the request, 1 to 64 characters; the ledger takes it once in a tenant. */
  requestId: string;
  /** What each attempt has used; nothing is recorded where there is none. At most 64. */
  usages: MessageInitShape<typeof ModelUsageSchema>[];
  /** When the request came, in milliseconds since 1970. */
  requestedAt: number;
  /** 32 hex digits; empty: none. */
  traceId: string;
}

/** Hands usage to the ledger of audit, at least once, and never makes a request wait for it. */
export interface Ledger {
  /** Takes an entry and returns at once. It is delivered as the caller of `context`, whose call may be over by then. */
  record(entry: LedgerEntry, context: CallContext): void;
  /** Entries that wait or are under way. */
  readonly pending: number;
  /** Resolves when nothing is pending. */
  idle(): Promise<void>;
  /** Delivers what is pending, for at most `closeMs`; what is left then is dropped, and logged. */
  close(): Promise<void>;
}

/** What the ledger is given. */
export interface LedgerDeps {
  audit: Pick<Client<typeof AuditService>, 'recordUsage'>;
  log: Logger;
  metrics: Metrics;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  /** Makes a new token for the caller whose own has expired; without it, such an entry is dropped. */
  signer?: TokenSigner | undefined;
}

/** Bounds of the ledger. */
export interface LedgerBounds {
  /** Entries that may be pending; more are dropped. @default 10000 */
  maxPending?: number;
  /** Entries under way at once. @default 128 */
  maxSending?: number;
  /** Entries that follow one another are gathered for so long, in milliseconds: audit writes those that come together at once. @default 50 */
  gatherMs?: number;
  /** Time for one delivery, in milliseconds. @default 5000 */
  timeoutMs?: number;
  /** First and longest pause after a failure, in milliseconds. @default 100 and 5000 */
  backoffMs?: number;
  maxBackoffMs?: number;
  /** Attempts at an entry that fails while audit takes others; then it is dropped. @default 16 */
  maxAttempts?: number;
  /** Time to deliver what is pending at the end, in milliseconds. @default 5000 */
  closeMs?: number;
}

/** Creates the way to the ledger. */
export function createLedger(deps: LedgerDeps, bounds: LedgerBounds = {}): Ledger {
  const { audit, log, metrics, clock, random, signer } = deps;
  const { maxPending = 10_000, maxSending = 128, timeoutMs = 5000, gatherMs = 50, closeMs = 5000 } = bounds;
  const { backoffMs = 100, maxBackoffMs = 5000, maxAttempts = 16 } = bounds;
  const queue: Pending[] = [];
  // Entries that failed by themselves. They are tried one at a time, beside the others, which do not wait for them.
  const suspects: Pending[] = [];
  let suspectTimer: NodeJS.Timeout | undefined;
  let delivered = 0;
  const sending = new Set<Pending>();
  const over = new AbortController();
  let failures = 0;
  let pause: NodeJS.Timeout | undefined;
  let gathering: NodeJS.Timeout | undefined;
  let gatheredAt = Number.NEGATIVE_INFINITY;
  let isClosing = false;
  const waiting: (() => void)[] = [];
  const registers = [metrics.registry];
  const count = new Counter({
    name: 'ragmesh_llm_ledger_total',
    help: 'Entries for the usage ledger: delivered, retried (each time), dropped',
    labelNames: ['outcome'],
    registers,
  });
  new Gauge({
    name: 'ragmesh_llm_ledger_pending',
    help: 'Entries that wait for the usage ledger',
    registers,
    collect() {
      this.set(pending());
    },
  });

  const pending = () => queue.length + suspects.length + sending.size;
  const drop = (entry: Pending, why: string, error?: unknown) => {
    count.inc({ outcome: 'dropped' });
    const fields = { err: error, ...fieldsOf(entry) };
    log.error(fields, `usage is not in the ledger: ${why}`);
  };
  // The first entry after a while goes at once; those behind it wait for each other.
  const gather = () => {
    if (gathering !== undefined) {
      if (queue.length >= maxSending) gathered();
      return;
    }
    const leftMs = gatheredAt + gatherMs - performance.now();
    if (leftMs <= 0) gathered();
    else gathering = setTimeout(gathered, leftMs);
  };
  const gathered = () => {
    clearTimeout(gathering);
    gathering = undefined;
    gatheredAt = performance.now();
    pump();
  };
  const pump = () => {
    // While audit fails, one entry at a time finds out whether it is back.
    const width = failures > 0 ? 1 : maxSending;
    while (pause === undefined && gathering === undefined && sending.size < width) {
      const next = queue.shift();
      if (next === undefined) break;
      sending.add(next);
      void send(next);
    }
    if (pending() > 0) return;
    for (const resolve of waiting.splice(0)) resolve();
  };
  const send = async (entry: Pending) => {
    entry.attempts += 1;
    try {
      await audit.recordUsage(entry.request, {
        timeoutMs,
        signal: over.signal,
        headers: { authorization: entry.authorization },
      });
      failures = 0;
      delivered += 1;
      count.inc({ outcome: 'delivered' });
      // Audit takes what it did not take before: it was at fault, and not the entries.
      if (entry.deliveredBefore !== undefined) queue.push(...suspects.splice(0));
    } catch (error) {
      await onFailed(entry, error).catch((failure) => drop(entry, 'no token for the caller can be signed', failure));
    } finally {
      sending.delete(entry);
      pump();
    }
  };
  const onFailed = async (entry: Pending, error: unknown) => {
    if (over.signal.aborted) return drop(entry, 'the process ended', error);
    const failure = failureOf(error, entry);
    switch (failure) {
      case 'expired':
        if (signer === undefined) return drop(entry, 'the token of the caller has expired', error);
        // Audit was away for longer than the caller's token lives.
        entry.isResigned = true;
        entry.authorization = `Bearer ${await signer.sign(entry.principal)}`;
        return retry(entry, queue);
      case 'refused':
        return drop(entry, 'audit refused it', error);
      case 'unencodable':
        return drop(entry, 'it cannot be encoded', error);
      case 'failed':
        entry.deliveredBefore ??= delivered;
        if (entry.attempts >= maxAttempts && delivered > entry.deliveredBefore) {
          return drop(entry, 'audit fails on it, but takes others', error);
        }
        return retry(entry, suspects);
      case 'away':
        retry(entry, queue);
        return rest(error);
      default:
        return failure satisfies never;
    }
  };
  const retry = (entry: Pending, to: Pending[]) => {
    count.inc({ outcome: 'retried' });
    to.push(entry);
    if (to !== suspects || suspectTimer !== undefined) return;
    log.warn({ ...fieldsOf(entry), event: 'ledger_entry_failed' }, 'audit fails on an entry');
    suspectTimer = setTimeout(trySuspect, pauseAfter(entry.attempts));
  };
  const trySuspect = () => {
    suspectTimer = undefined;
    const next = suspects.shift();
    if (next === undefined) return;
    queue.push(next);
    pump();
    const [following] = suspects;
    if (following !== undefined) suspectTimer = setTimeout(trySuspect, pauseAfter(following.attempts));
  };
  const pauseAfter = (failureCount: number) => {
    const longest = isClosing ? backoffMs : maxBackoffMs;
    return Math.min(longest, backoffMs * 2 ** Math.min(failureCount - 1, 20)) * (0.5 + random() / 2);
  };
  const rest = (error: unknown) => {
    // Those that were sent together and failed together are one failure.
    if (pause !== undefined) return;
    if (failures === 0) log.warn({ err: error, pending: pending() }, 'the ledger does not answer');
    failures += 1;
    pause = setTimeout(wake, pauseAfter(failures));
  };
  const wake = () => {
    clearTimeout(pause);
    pause = undefined;
    pump();
  };
  const idle = () => {
    if (pending() === 0) return Promise.resolve();
    return new Promise<void>((resolve) => waiting.push(resolve));
  };

  return {
    record({ requestId, usages, requestedAt, traceId }, context) {
      if (usages.length === 0) return;
      const request = create(RecordUsageRequestSchema, {
        requestId,
        usages,
        requestedAt: timestampFromMs(requestedAt || clock()),
        traceId,
      });
      const { authorization, principal } = context;
      const entry = { request, principal, authorization, isResigned: false, attempts: 0, deliveredBefore: undefined };
      if (isClosing) drop(entry, 'the process is ending');
      else if (pending() >= maxPending) drop(entry, `${maxPending} entries wait already`);
      else {
        queue.push(entry);
        gather();
      }
    },
    get pending() {
      return pending();
    },
    idle,
    async close() {
      isClosing = true;
      clearTimeout(suspectTimer);
      suspectTimer = undefined;
      queue.push(...suspects.splice(0));
      gathered();
      if (pause !== undefined) wake();
      const late = setTimeout(() => {
        over.abort();
        clearTimeout(pause);
        clearTimeout(suspectTimer);
        for (const entry of [...queue.splice(0), ...suspects.splice(0)]) drop(entry, 'the process ended');
        pump();
      }, closeMs);
      await idle();
      clearTimeout(late);
    },
  };
}
