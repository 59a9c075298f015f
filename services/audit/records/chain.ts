import { createHash } from 'node:crypto';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { TimestampSchema, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type AuditEntry,
  AuditEntrySchema,
  type RecordRequest,
  RecordRequestSchema,
} from '#gen/ragmesh/audit/v1/audit_pb.ts';

/** The hash before the first entry of a tenant. */
export const genesisHash: Uint8Array = new Uint8Array(32);

/** The content of an entry. */
export interface EntryContent {
  sequence: number;
  tenant: string;
  user: string;
  /** Milliseconds since 1970. */
  recordedAt: number;
  /** As {@link toRecordBytes} returns them. */
  recordBytes: Uint8Array;
}

/**
 * Returns the canonical bytes of an entry: the protobuf encoding of `AuditEntry` with fields 1 to 5 (its content, without the hashes),
 * fields in ascending order, fields with default values left out, unknown fields left out. The contract has no map, so there is
 * one such encoding, whatever program writes it.
 */
export function toCanonicalBytes({ sequence, tenant, user, recordedAt, recordBytes }: EntryContent): Uint8Array {
  const writer = new BinaryWriter();
  const { field } = AuditEntrySchema;
  writer.tag(field.sequence.number, WireType.Varint).uint64(sequence);
  if (tenant !== '') writer.tag(field.tenant.number, WireType.LengthDelimited).string(tenant);
  if (user !== '') writer.tag(field.user.number, WireType.LengthDelimited).string(user);
  writer.tag(field.record.number, WireType.LengthDelimited).bytes(recordBytes);
  const timestamp = toBinary(TimestampSchema, timestampFromMs(recordedAt));
  return writer.tag(field.recordedAt.number, WireType.LengthDelimited).bytes(timestamp).finish();
}

/** Returns the bytes of a record in its entry. They are the longest part of it, and made once. */
export function toRecordBytes(record: RecordRequest): Uint8Array {
  return toBinary(RecordRequestSchema, record, { writeUnknownFields: false });
}

/** Returns an entry from its canonical bytes, without the hashes. Throws if they are not an entry. */
export function fromCanonicalBytes(bytes: Uint8Array): AuditEntry {
  return fromBinary(AuditEntrySchema, bytes);
}

/** Returns the SHA-256 of the hash before, followed by the canonical bytes of the entry. */
export function chainHash(previousHash: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(previousHash).update(bytes).digest();
}
