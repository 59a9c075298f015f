import { hash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { TimestampSchema, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type AuditEntry,
  AuditEntrySchema,
  type ErasureReceipt,
  ErasureReceiptSchema,
  type EvidenceRef,
  type RecordRequest,
  RecordRequestSchema,
} from '#gen/ragmesh/audit/v1/audit_pb.ts';

/** The hash before the first entry of a tenant. */
export const genesisHash: Uint8Array = new Uint8Array(32);

/** What the canonical bytes of an entry are made of. */
export interface CanonicalEntry {
  sequence: number;
  tenant: string;
  /** Empty if the entry names its user by `subject`. */
  user: string;
  /** Milliseconds since 1970. */
  recordedAt: number;
  /** As {@link toRecordBytes} returns them; `undefined` for a receipt. */
  recordBytes?: Uint8Array | undefined;
  subject?: string | undefined;
  sealed?: Uint8Array | undefined;
  erasure?: ErasureReceipt | undefined;
}

/**
 * Returns the canonical bytes of an entry: the protobuf encoding of `AuditEntry` with fields 1 to 5 and 8 to 10 (its content, without the hashes),
 * fields in ascending order, fields with default values left out, unknown fields left out. The contract has no map, so there is
 * one such encoding, whatever program writes it.
 */
export function toCanonicalBytes(entry: CanonicalEntry): Uint8Array {
  const { sequence, tenant, user, recordedAt, recordBytes, subject, sealed, erasure } = entry;
  const writer = new BinaryWriter();
  const { field } = AuditEntrySchema;
  writer.tag(field.sequence.number, WireType.Varint).uint64(sequence);
  if (tenant !== '') writer.tag(field.tenant.number, WireType.LengthDelimited).string(tenant);
  if (user !== '') writer.tag(field.user.number, WireType.LengthDelimited).string(user);
  if (recordBytes !== undefined) writer.tag(field.record.number, WireType.LengthDelimited).bytes(recordBytes);
  const timestamp = toBinary(TimestampSchema, timestampFromMs(recordedAt));
  writer.tag(field.recordedAt.number, WireType.LengthDelimited).bytes(timestamp);
  if (subject) writer.tag(field.subject.number, WireType.LengthDelimited).string(subject);
  if (sealed !== undefined) writer.tag(field.sealed.number, WireType.LengthDelimited).bytes(sealed);
  if (erasure !== undefined) {
    writer.tag(field.erasure.number, WireType.LengthDelimited).bytes(toBinary(ErasureReceiptSchema, erasure, encoding));
  }
  return writer.finish();
}

/** Returns the bytes of a record in its entry. They are the longest part of it, and made once. */
export function toRecordBytes(record: RecordRequest): Uint8Array {
  const others = toBinary(RecordRequestSchema, { ...record, evidence: [] }, encoding);
  if (record.evidence.length === 0) return others;
  const evidence = evidenceBytes(record.evidence);
  const at = startAfter(others, RecordRequestSchema.field.evidence.number);
  const bytes = new Uint8Array(others.length + evidence.length);
  bytes.set(others.subarray(0, at));
  bytes.set(evidence, at);
  bytes.set(others.subarray(at), at + evidence.length);
  return bytes;
}

const encoding = { writeUnknownFields: false };

/** Returns the position of the first field with a higher number, in the bytes of a message whose fields are in ascending order. */
function startAfter(bytes: Uint8Array, fieldNumber: number): number {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, wireType] = reader.tag();
    if (number > fieldNumber) return start;
    reader.skip(wireType, number);
  }
  return bytes.length;
}

// Most of a record is its evidence. That of a cached answer is the same list each time.
const evidences = new WeakMap<readonly EvidenceRef[], Uint8Array>();

function evidenceBytes(evidence: EvidenceRef[]): Uint8Array {
  let bytes = evidences.get(evidence);
  if (bytes === undefined) {
    const part = create(RecordRequestSchema);
    part.evidence = evidence;
    bytes = toBinary(RecordRequestSchema, part, encoding);
    evidences.set(evidence, bytes);
  }
  return bytes;
}

/** Returns an entry from its canonical bytes, without the hashes. Throws if they are not an entry. */
export function fromCanonicalBytes(bytes: Uint8Array): AuditEntry {
  return fromBinary(AuditEntrySchema, bytes);
}

/** Returns the SHA-256 of the hash before, followed by the canonical bytes of the entry. */
export function chainHash(previousHash: Uint8Array, bytes: Uint8Array): Uint8Array {
  return hash('sha256', Buffer.concat([previousHash, bytes]), 'buffer');
}
