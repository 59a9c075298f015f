import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { lockNames } from '#kit/storage/postgres/database.ts';
import { isUniqueViolation } from '#kit/storage/unique-violation.ts';
import { appendUsage, type UsageSubmission } from '../usage/ledger.ts';
import { type AppendOptions, appendEntries, type Submission } from './append.ts';
import type { DocumentSets } from './document-sets.ts';
import type { HeadsFile } from './heads-file.ts';
import { tenantsOf } from './rows.ts';
import type { AuditSchema } from './schema.ts';

/** Something to write: an answer for the chain, or usage for the ledger. */
export type Write = ({ kind: 'answer' } & Submission) | ({ kind: 'usage' } & UsageSubmission);

/** The result of a write: the answer's sequence, or whether the usage was new. */
export type Written = number | boolean;

/**
 * Writes a batch in one transaction; returns for each, in order, the result or the reason of the refusal. Batches of several replicas that
 * have a tenant in common are written one after the other. `sets` remembers what the database has, `heads` the ends of the chains.
 */
export async function writeBatch(
  db: Database<AuditSchema>,
  batch: readonly Write[],
  nowMs: number,
  sets: DocumentSets,
  heads: Pick<HeadsFile, 'of' | 'note'>,
): Promise<(Written | Error)[]> {
  try {
    // Nearly no answer is recorded twice, so only a batch that fails for that reason looks for those that are.
    return await writeOnce(db, batch, { nowMs, sets, known: heads, mayRepeat: false }, heads).catch(
      (error: unknown) => {
        if (!isUniqueViolation(error)) throw error;
        return writeOnce(db, batch, { nowMs, sets, known: heads, mayRepeat: true }, heads);
      },
    );
  } catch (error) {
    sets.clear();
    throw error;
  }
}

async function writeOnce(
  db: Database<AuditSchema>,
  batch: readonly Write[],
  options: AppendOptions,
  heads: Pick<HeadsFile, 'note'>,
) {
  const answers = batch.filter((write) => write.kind === 'answer');
  const usages = batch.filter((write) => write.kind === 'usage');
  const { results, written, ends } = await db.transaction().execute(async (trx) => {
    // All rows that a batch changes belong to its tenants, so no other lock is waited for. SQLite has one transaction at a time anyway.
    if (engineOf(db) === 'postgres') await lockNames(trx, 'audit', tenantsOf(batch), { isAwaited: false });
    const { sequences, written, heads: ends } = await appendEntries(trx, answers, options);
    const recorded = await appendUsage(trx, usages, options.nowMs);
    const results = { answer: sequences.values(), usage: recorded.values() };
    return { results: batch.map(({ kind }) => results[kind].next().value as Written | Error), written, ends };
  });
  options.sets.add(written);
  for (const end of ends) heads.note(end);
  return results;
}
