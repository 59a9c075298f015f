import { toJson } from '@bufbuild/protobuf';
import { AuditEntrySchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { ReadEntry } from '../records/read-entry.ts';

/** Returns an entry as one line of JSON, with the field names of the contract; with `hashed_bytes` (base64) if they are wanted and exist. */
export function entryToJsonLine({ entry, hashedBytes }: ReadEntry, withHashedBytes: boolean): string {
  const json = toJson(AuditEntrySchema, entry, { useProtoFieldName: true }) as object;
  if (!withHashedBytes || hashedBytes.length === 0) return JSON.stringify(json);
  return JSON.stringify({ ...json, hashed_bytes: Buffer.from(hashedBytes).toString('base64') });
}
