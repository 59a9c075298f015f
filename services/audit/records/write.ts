import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { lockNames } from '#kit/storage/postgres/database.ts';
import { appendUsage, type UsageSubmission } from '../usage/ledger.ts';
import { appendEntries, type Submission } from './append.ts';
import { tenantsOf } from './rows.ts';
import type { AuditSchema } from './schema.ts';

/** Something to write: an answer for the chain, or usage for the ledger. */
export type Write = ({ kind: 'answer' } & Submission) | ({ kind: 'usage' } & UsageSubmission);

/** The result of a write: the answer's sequence, or whether the usage was new. */
export type Written = number | boolean;

/**
 * Writes a batch in one transaction; returns for each, in order, the result or the reason of the refusal. Batches of several replicas that
 * have a tenant in common are written one after the other.
 */
export function writeBatch(
  db: Database<AuditSchema>,
  batch: readonly Write[],
  nowMs: number,
): Promise<(Written | Error)[]> {
  const answers = batch.filter((write) => write.kind === 'answer');
  const usages = batch.filter((write) => write.kind === 'usage');
  return db.transaction().execute(async (trx) => {
    // All rows that a batch changes belong to its tenants, so no other lock is waited for. SQLite has one transaction at a time anyway.
    if (engineOf(db) === 'postgres') await lockNames(trx, 'audit', tenantsOf(batch), { isAwaited: false });
    const sequences = await appendEntries(trx, answers, nowMs);
    const recorded = await appendUsage(trx, usages, nowMs);
    const results = { answer: sequences.values(), usage: recorded.values() };
    return batch.map(({ kind }) => results[kind].next().value as Written | Error);
  });
}
