import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { lockNames } from '#kit/storage/postgres/database.ts';
import { isUniqueViolation } from '#kit/storage/unique-violation.ts';
import { sealPersonal } from '../subjects/seal-record.ts';
import { existAll, type Subjects } from '../subjects/subjects.ts';
import { appendUsage, type UsageSubmission } from '../usage/ledger.ts';
import { type AppendOptions, appendEntries, type Submission } from './append.ts';
import type { DocumentSets } from './document-sets.ts';
import type { HeadsFile } from './heads-file.ts';
import { keyOf, tenantsOf } from './rows.ts';
import type { AuditSchema } from './schema.ts';

/** Something to write: an answer for the chain, or usage for the ledger. */
export type Write = ({ kind: 'answer' } & Submission) | ({ kind: 'usage' } & UsageSubmission);

/** What a batch is written with. */
export interface WriteDeps {
  db: Database<AuditSchema>;
  /** Remembers what the database has. */
  sets: DocumentSets;
  /** Ends of the chains outside of the database. */
  heads: Pick<HeadsFile, 'of' | 'note'>;
  subjects: Pick<Subjects, 'ensure'>;
}

/** Times that a batch is sealed: a user of it may be erased between its sealing and its transaction. */
const maxSealings = 4;

/** The result of a write: the answer's sequence, or whether the usage was new. */
export type Written = number | boolean;

/**
 * Writes a batch in one transaction; returns for each, in order, the result or the reason of the refusal. Batches of several replicas that
 * have a tenant in common are written one after the other.
 */
export async function writeBatch(
  deps: WriteDeps,
  batch: readonly Write[],
  nowMs: number,
): Promise<(Written | Error)[]> {
  const { sets, heads: known } = deps;
  try {
    for (let sealing = 1; ; sealing++) {
      await sealAll(deps.subjects, batch);
      try {
        // Nearly no answer is recorded twice, so only a batch that fails for that reason looks for those that are.
        return await writeOnce(deps, batch, { nowMs, sets, known, mayRepeat: false }).catch((error: unknown) => {
          if (!isUniqueViolation(error)) throw error;
          return writeOnce(deps, batch, { nowMs, sets, known, mayRepeat: true });
        });
      } catch (error) {
        if (!(error instanceof SubjectErased) || sealing === maxSealings) throw error;
      }
    }
  } catch (error) {
    sets.clear();
    throw error;
  }
}

/** A user of the batch was erased after the batch had been sealed. */
class SubjectErased extends Error {
  override readonly name = 'SubjectErased';
}

async function sealAll(subjects: Pick<Subjects, 'ensure'>, batch: readonly Write[]): Promise<void> {
  const answers = batch.filter((write) => write.kind === 'answer').filter(({ personal }) => personal !== undefined);
  if (answers.length === 0) return;
  const found = await subjects.ensure(answers);
  for (const answer of answers) {
    const subject = found.get(keyOf(answer.tenant, answer.user));
    if (subject === undefined) throw new SubjectErased('erased while it was created');
    const bytes = sealPersonal(subject, answer.record.answerId, answer.personal as Uint8Array);
    answer.sealed = { subject: subject.subject, bytes };
  }
}

async function writeOnce({ db, heads }: WriteDeps, batch: readonly Write[], options: AppendOptions) {
  const answers = batch.filter((write) => write.kind === 'answer');
  const usages = batch.filter((write) => write.kind === 'usage');
  const { results, written, ends } = await db.transaction().execute(async (trx) => {
    // All rows that a batch changes belong to its tenants, so no other lock is waited for. SQLite has one transaction at a time anyway.
    if (engineOf(db) === 'postgres') await lockNames(trx, 'audit', tenantsOf(batch), { isAwaited: false });
    // Under the lock of the tenant, so no erasure is between this and the commit.
    const named = answers.flatMap(({ sealed }) => (sealed === undefined ? [] : [sealed.subject]));
    if (!(await existAll(trx, named))) throw new SubjectErased('erased after the batch was sealed');
    const { sequences, written, heads: ends } = await appendEntries(trx, answers, options);
    const recorded = await appendUsage(trx, usages, options.nowMs);
    const results = { answer: sequences.values(), usage: recorded.values() };
    return { results: batch.map(({ kind }) => results[kind].next().value as Written | Error), written, ends };
  });
  options.sets.add(written);
  for (const end of ends) heads.note(end);
  return results;
}
