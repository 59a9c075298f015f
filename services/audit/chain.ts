import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type AuditEntry, AuditEntrySchema, type RecordRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';

/** The hash before the first entry of a tenant. */
export const genesisHash: Uint8Array = new Uint8Array(32);

/** What an entry says. */
export interface EntryContent {
  sequence: number;
  tenant: string;
  user: string;
  /** Milliseconds since 1970. */
  recordedAt: number;
  record: RecordRequest;
}

/**
 * The canonical bytes of an entry: the protobuf encoding of `AuditEntry` with fields 1 to 5 (its content, without the hashes),
 * fields in ascending order, fields with default values left out, unknown fields left out. The contract has no map, so there is
 * one such encoding, whatever program writes it.
 */
export function toCanonicalBytes(content: EntryContent): Uint8Array {
  const entry = create(AuditEntrySchema, {
    sequence: BigInt(content.sequence),
    tenant: content.tenant,
    user: content.user,
    record: content.record,
    recordedAt: timestampFromMs(content.recordedAt),
  });
  return toBinary(AuditEntrySchema, entry, { writeUnknownFields: false });
}

/** An entry from its canonical bytes, without the hashes. Throws where they are not an entry. */
export function fromCanonicalBytes(bytes: Uint8Array): AuditEntry {
  return fromBinary(AuditEntrySchema, bytes);
}

/** SHA-256 of the hash before, followed by the canonical bytes of the entry. */
export function chainHash(previousHash: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(previousHash).update(bytes).digest();
}
