import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { CallOptions } from '@connectrpc/connect';
import type { Logger } from '#kit/base/log.ts';
import type { Retention } from '../config.ts';
import type { Requester } from '../erasures/erasures.ts';
import type { Stores } from '../erasures/stores.ts';

/** What retention needs. */
export interface RetentionDeps {
  retention: readonly Retention[];
  stores: Pick<Stores, 'cache' | 'chat' | 'auditErasure'>;
  /** Returns the held users of a tenant; an empty one is the tenant. */
  heldUsers(tenant: string): Promise<readonly string[]>;
  actFor(who: Requester, signal: AbortSignal): Promise<CallOptions>;
  newId(): string;
  clock: () => number;
  log: Logger;
}

/** The user in whose name retention runs. */
const actor = 'retention';

/** Removes what tenants keep no longer. A tenant that fails does not stop the others. */
export async function applyRetention(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
  for (const retention of deps.retention) {
    if (signal.aborted) return;
    try {
      await applyTo(deps, retention, signal);
    } catch (error) {
      if (signal.aborted) return;
      deps.log.warn({ event: 'retention_retry', tenant: retention.tenant, err: error }, 'retention incomplete');
    }
  }
}

async function applyTo(deps: RetentionDeps, retention: Retention, signal: AbortSignal): Promise<void> {
  const { stores, actFor, newId, clock, log } = deps;
  const { tenant, sessionsMs, feedbackMs, auditMs, ledgerMs, cacheMs } = retention;
  const heldUsers = await deps.heldUsers(tenant);
  if (heldUsers.includes('')) return;
  const before = (ms: number | undefined) => (ms === undefined ? {} : { time: timestampFromMs(clock() - ms) });
  const call = () => actFor({ tenant, user: actor }, signal);
  const [sessions, feedback, entries, ledger, cached] = [sessionsMs, feedbackMs, auditMs, ledgerMs, cacheMs].map(
    before,
  );
  const chat = await stores.chat.expireChat(
    {
      ...(sessions?.time && { sessionsBefore: sessions.time }),
      ...(feedback?.time && { feedbackBefore: feedback.time }),
    },
    await call(),
  );
  const audit = await stores.auditErasure.expireAudit(
    {
      erasureId: newId(),
      heldUsers: [...heldUsers],
      ...(entries?.time && { entriesBefore: entries.time }),
      ...(ledger?.time && { ledgerBefore: ledger.time }),
    },
    await call(),
  );
  // Last: without its server, the others have done their work.
  const cache =
    cached?.time &&
    (await stores.cache.invalidate({ target: { case: 'storedBefore', value: cached.time } }, await call()));
  log.info(
    {
      event: 'retention_applied',
      tenant,
      session_count: Number(chat.sessionCount),
      feedback_count: Number(chat.feedbackCount),
      entry_count: Number(audit.redactedCount),
      ledger_count: Number(audit.ledgerCount),
      cached_count: Number(cache?.entryCount ?? 0n),
    },
    'retention applied',
  );
}
