import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Client, Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { Counter, Gauge } from 'prom-client';
import {
  type AuditService,
  type ModelUsageSchema,
  type RecordUsageRequest,
  RecordUsageRequestSchema,
} from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { callerOf } from '#kit/context.ts';
import { hasReason } from '#kit/errors.ts';
import type { TokenSigner } from '#kit/identity.ts';
import type { Logger } from '#kit/log.ts';
import type { Metrics } from '#kit/metrics.ts';
import type { ServerCall } from '#kit/server-call.ts';

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
  record(entry: LedgerEntry, context: HandlerContext): void;
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
  /** Time to deliver what is pending at the end, in milliseconds. @default 5000 */
  closeMs?: number;
}

interface Pending {
  request: RecordUsageRequest;
  principal: Principal;
  authorization: string | undefined;
  isResigned: boolean;
  attempts: number;
}

/** Failures that another attempt would meet again: the entry or the caller's token is at fault. */
const finalCodes = new Set([Code.InvalidArgument, Code.Unauthenticated, Code.PermissionDenied]);

/** Creates the way to the ledger. */
export function createLedger(deps: LedgerDeps, bounds: LedgerBounds = {}): Ledger {
  const { audit, log, metrics, clock, random, signer } = deps;
  const { maxPending = 10_000, maxSending = 128, timeoutMs = 5000, gatherMs = 50, closeMs = 5000 } = bounds;
  const { backoffMs = 100, maxBackoffMs = 5000 } = bounds;
  const queue: Pending[] = [];
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
      this.set(queue.length + sending.size);
    },
  });

  const drop = ({ request, attempts }: Pending, why: string, error?: unknown) => {
    count.inc({ outcome: 'dropped' });
    const usages = request.usages.map(({ model, usage }) => ({
      model,
      prompt_tokens: String(usage?.promptTokens ?? 0n),
      completion_tokens: String(usage?.completionTokens ?? 0n),
      cost_micros: String(usage?.costMicros ?? 0n),
      currency: usage?.currency ?? '',
    }));
    const fields = { err: error, request_id: request.requestId, trace_id: request.traceId, attempts, usages };
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
    if (queue.length > 0 || sending.size > 0) return;
    for (const resolve of waiting.splice(0)) resolve();
  };
  const send = async (entry: Pending) => {
    entry.attempts += 1;
    try {
      await audit.recordUsage(entry.request, {
        timeoutMs,
        signal: over.signal,
        ...(entry.authorization === undefined ? {} : { headers: { authorization: entry.authorization } }),
      });
      failures = 0;
      count.inc({ outcome: 'delivered' });
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (over.signal.aborted) drop(entry, 'the process ended', error);
      else if (signer !== undefined && hasReason(error, ErrorReason.CREDENTIALS_EXPIRED) && !entry.isResigned) {
        // Audit was away for longer than the caller's token lives.
        entry.isResigned = true;
        entry.authorization = `Bearer ${await signer.sign(entry.principal)}`;
        retry(entry);
      } else if (finalCodes.has(code)) drop(entry, 'audit refused it', error);
      else {
        retry(entry);
        rest(error);
      }
    } finally {
      sending.delete(entry);
      pump();
    }
  };
  // Behind the others: an entry that audit cannot take holds nobody up.
  const retry = (entry: Pending) => {
    count.inc({ outcome: 'retried' });
    queue.push(entry);
  };
  const rest = (error: unknown) => {
    // Those that were sent together and failed together are one failure.
    if (pause !== undefined) return;
    if (failures === 0) log.warn({ err: error, pending: queue.length + sending.size }, 'the ledger does not answer');
    failures += 1;
    const longest = isClosing ? backoffMs : maxBackoffMs;
    const pauseMs = Math.min(longest, backoffMs * 2 ** Math.min(failures - 1, 20)) * (0.5 + random() / 2);
    pause = setTimeout(wake, pauseMs);
  };
  const wake = () => {
    clearTimeout(pause);
    pause = undefined;
    pump();
  };
  const idle = () => {
    if (queue.length === 0 && sending.size === 0) return Promise.resolve();
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
      const { authorization } = context as ServerCall;
      const entry = { request, principal: callerOf(context), authorization, isResigned: false, attempts: 0 };
      if (isClosing) drop(entry, 'the process is ending');
      else if (queue.length + sending.size >= maxPending) drop(entry, `${maxPending} entries wait already`);
      else {
        queue.push(entry);
        gather();
      }
    },
    get pending() {
      return queue.length + sending.size;
    },
    idle,
    async close() {
      isClosing = true;
      gathered();
      if (pause !== undefined) wake();
      const late = setTimeout(() => {
        over.abort();
        clearTimeout(pause);
        for (const entry of queue.splice(0)) drop(entry, 'the process ended');
        pump();
      }, closeMs);
      await idle();
      clearTimeout(late);
    },
  };
}
