import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { lockNames } from '#kit/storage/postgres/database.ts';
import type { ChainHead, HeadsFile } from '../records/heads-file.ts';
import { keyOf } from '../records/rows.ts';
import type { AuditSchema } from '../records/schema.ts';
import type { Subjects } from '../subjects/subjects.ts';
import type { ReceiptDeps } from './append-receipt.ts';

/** What erasures work with. */
export interface EraseDeps {
  db: Database<AuditSchema>;
  subjects: Pick<Subjects, 'ensure' | 'nameOf'>;
  heads: Pick<HeadsFile, 'of' | 'note'>;
  clock: () => number;
}

/** An erasure, and who asked for it. */
export interface Erasure {
  tenant: string;
  /** The user who asked for it. */
  actor: string;
  erasureId: string;
}

/**
 * Runs a step of an erasure in a transaction, alone among the writers of the tenant's chain, and notes the end that the chain has after it.
 * The receipt names the one who asked by the subject.
 */
export async function inTransaction<T>(
  { db, subjects, heads, clock }: EraseDeps,
  { tenant, actor }: Erasure,
  step: (receipt: ReceiptDeps) => Promise<{ result: T; end?: ChainHead }>,
): Promise<T> {
  const named = await subjects.ensure([{ tenant, user: actor }]);
  const name = named.get(keyOf(tenant, actor))?.subject ?? '';
  const { result, end } = await db.transaction().execute(async (trx) => {
    if (engineOf(db) === 'postgres') await lockNames(trx, 'audit', [tenant], { isAwaited: false });
    return step({ trx, tenant, actor: name, heads, nowMs: clock() });
  });
  if (end !== undefined) heads.note(end);
  return result;
}
