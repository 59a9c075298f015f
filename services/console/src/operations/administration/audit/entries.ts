import { toJsonString } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { type AuditEntry, type AuditService, QueryAuditResponseSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { type AuditFilter, filterRequest } from './audit-filter.ts';

/** Entries of a page of the table. */
export const pageSize = 100;
/** Entries of a request of an export. */
const exportPageSize = 2000;
/** Most entries of an export; it is built in the memory of the browser. */
export const maxExported = 100_000;
const timeoutMs = 30_000;

/** Reads entries before a sequence, the latest first; 0: from the latest. */
export async function readEntries(
  client: Client<typeof AuditService>,
  filter: AuditFilter,
  beforeSequence: bigint,
  limit: number,
  signal: AbortSignal,
): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  const request = { ...filterRequest(filter), beforeSequence, limit };
  for await (const { entry } of client.queryAudit(request, { signal, timeoutMs })) {
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** Returns entries as lines of JSON, with the bytes that the chain covers, so that another program can check the chain. */
export async function exportEntries(
  client: Client<typeof AuditService>,
  filter: AuditFilter,
  onProgress: (count: number) => void,
): Promise<string[]> {
  const lines: string[] = [];
  let beforeSequence = 0n;
  while (lines.length < maxExported) {
    const limit = Math.min(exportPageSize, maxExported - lines.length);
    const before = lines.length;
    for await (const reply of client.queryAudit({ ...filterRequest(filter), beforeSequence, limit }, { timeoutMs })) {
      lines.push(`${toJsonString(QueryAuditResponseSchema, reply)}\n`);
      beforeSequence = reply.entry?.sequence ?? 0n;
    }
    onProgress(lines.length);
    if (lines.length - before < limit || beforeSequence <= 1n) break;
  }
  return lines;
}
