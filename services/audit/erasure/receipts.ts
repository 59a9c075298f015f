import { createHash, hash } from 'node:crypto';
import type { AuditEntry, ErasureReceipt } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { EntryRow } from '../records/schema.ts';

/** Most receipts in the result of a check; older ones are checked, and not returned. */
const maxReceipts = 1000;

/** Returns the id by which an entry is found: that of its answer, or of its erasure. */
export function idOf({ sequence, record, erasure }: AuditEntry): string | undefined {
  return erasure === undefined ? record?.answerId : receiptIdOf(erasure, Number(sequence));
}

/** Returns the id of a receipt. No answer has such an id: those have no slash in front of a sequence of their own. */
export const receiptIdOf = ({ erasureId }: Pick<ErasureReceipt, 'erasureId'>, sequence: number): string =>
  `erasure/${erasureId}/${sequence}`;

/** The digest of what is left of redacted entries. */
export interface RedactedDigest {
  /** Adds an entry; in ascending order of the sequences. */
  add(row: Pick<EntryRow, 'sequence' | 'hash' | 'bytes'>): void;
  /** Returns 32 bytes. */
  end(): Uint8Array;
}

/** Creates the digest of a receipt: SHA-256 over sequence (8 bytes, big endian), hash and SHA-256 of the bytes of each entry. */
export function createRedactedDigest(): RedactedDigest {
  const digest = createHash('sha256');
  const number = Buffer.alloc(8);
  return {
    add({ sequence, hash: inChain, bytes }) {
      number.writeBigUInt64BE(BigInt(sequence));
      digest
        .update(number)
        .update(inChain)
        .update(hash('sha256', bytes, 'buffer'));
    },
    end: () => digest.digest(),
  };
}

/** The check of what is erased in a chain, entry by entry. */
export interface ReceiptCheck {
  /** Takes the next entry; returns whether it is right, which for a receipt means that what it covers is what is left. */
  add(row: EntryRow, entry: AuditEntry, isSubject: (subject: string) => boolean): boolean;
  /** Returns the first redacted entry that no receipt covers; `undefined` if there is none. */
  firstUncovered(): number | undefined;
  /** Returns the counts, and the latest receipts. */
  end(): { erasedCount: number; redactedCount: number; keyMissingCount: number; erasures: ErasureReceipt[] };
}

/** Creates the check. It holds a digest for each receipt, and a count for each user whose key is gone. */
export function createReceiptCheck(): ReceiptCheck {
  /** Redacted entries whose receipt has not come yet, by the sequence of it. */
  const open = new Map<number, { digest: RedactedDigest; count: number; first: number }>();
  /** Sealed entries without a key, by subject. */
  const withoutKey = new Map<string, number>();
  const erased = new Set<string>();
  const receipts: ErasureReceipt[] = [];
  let redactedCount = 0;

  const isCovered = (sequence: number, receipt: ErasureReceipt): boolean => {
    const covered = open.get(sequence);
    open.delete(sequence);
    if (covered === undefined) return receipt.redactedCount === 0n;
    if (receipt.redactedCount !== BigInt(covered.count)) return false;
    return Buffer.from(receipt.redactedDigest).equals(covered.digest.end());
  };
  return {
    add(row, entry, isSubject) {
      if (row.redacted_by !== null) {
        // A receipt comes after what it covers.
        if (row.redacted_by <= row.sequence) return false;
        const covered = open.get(row.redacted_by) ?? { digest: createRedactedDigest(), count: 0, first: row.sequence };
        covered.digest.add(row);
        covered.count++;
        open.set(row.redacted_by, covered);
        redactedCount++;
        return true;
      }
      if (entry.sealed.length > 0 && !isSubject(entry.subject))
        withoutKey.set(entry.subject, (withoutKey.get(entry.subject) ?? 0) + 1);
      if (entry.erasure === undefined) return true;
      receipts.push(entry.erasure);
      if (receipts.length > maxReceipts) receipts.shift();
      if (entry.erasure.subject !== '') erased.add(entry.erasure.subject);
      return isCovered(row.sequence, entry.erasure);
    },
    firstUncovered: () => (open.size === 0 ? undefined : Math.min(...[...open.values()].map(({ first }) => first))),
    end() {
      let erasedCount = 0;
      let keyMissingCount = 0;
      for (const [subject, count] of withoutKey) {
        if (erased.has(subject)) erasedCount += count;
        else keyMissingCount += count;
      }
      return { erasedCount, redactedCount, keyMissingCount, erasures: receipts.toReversed() };
    },
  };
}
