import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Transaction } from 'kysely';
import { ErasureReceiptSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { brokenChain, findHeads, insertEntries, saveHeads } from '../records/append.ts';
import { chainHash, genesisHash, toCanonicalBytes } from '../records/chain.ts';
import type { ChainHead, HeadsFile } from '../records/heads-file.ts';
import type { AuditSchema } from '../records/schema.ts';
import { receiptIdOf } from './receipts.ts';

/** What a receipt is appended with; the lock of the tenant is held. */
export interface ReceiptDeps {
  trx: Transaction<AuditSchema>;
  tenant: string;
  /** The subject of the one who asked for the erasure. */
  actor: string;
  heads: Pick<HeadsFile, 'of'>;
  nowMs: number;
}

/** Returns the sequence that the next entry of the chain gets. Throws FAILED_PRECONDITION if the chain does not have its recorded end. */
export async function nextSequence({ trx, tenant, heads }: ReceiptDeps): Promise<number> {
  const head = (await findHeads(trx, [{ tenant }], heads)).get(tenant);
  if (head?.is_broken) throw brokenChain(head.last_sequence);
  return (head?.last_sequence ?? 0) + 1;
}

/** Appends a receipt to the chain of the tenant; returns its new end. */
export async function appendReceipt(
  deps: ReceiptDeps,
  receipt: MessageInitShape<typeof ErasureReceiptSchema>,
): Promise<ChainHead> {
  const { trx, tenant, actor, heads, nowMs } = deps;
  const head = (await findHeads(trx, [{ tenant }], heads)).get(tenant);
  if (head?.is_broken) throw brokenChain(head.last_sequence);
  const sequence = (head?.last_sequence ?? 0) + 1;
  const previousHash = head?.last_hash ?? genesisHash;
  const erasure = create(ErasureReceiptSchema, { ...receipt, erasedAt: timestampFromMs(nowMs) });
  const bytes = toCanonicalBytes({ sequence, tenant, user: '', recordedAt: nowMs, subject: actor, erasure });
  const hash = chainHash(previousHash, bytes);
  const about = { tenant, sequence, answer_id: receiptIdOf(erasure, sequence), user: actor, recorded_at: nowMs };
  await insertEntries(trx, [
    { ...about, bytes, previous_hash: previousHash, hash, documents_of: null, redacted_by: null },
  ]);
  await saveHeads(trx, [{ tenant, last_sequence: sequence, last_hash: hash }]);
  return { tenant, sequence, hash };
}
