import { toJson } from '@bufbuild/protobuf';
import type { CallOptions } from '@connectrpc/connect';
import { AuditEntrySchema, UsageRowSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Stores } from '../erasures/stores.ts';

/** Entries of the audit that are read at a time. */
const entriesAtOnce = 500;

/** Returns what the mesh stores of a user, as JSON lines: keys, sessions, answers, feedback, entries of the audit, sums of the ledger. */
export async function* exportUser(
  { accounts, chat, audit }: Pick<Stores, 'accounts' | 'chat' | 'audit'>,
  user: string,
  call: () => CallOptions,
): AsyncIterable<{ json: string }> {
  const line = (store: string, record: unknown) => ({ json: JSON.stringify({ store, record }) });
  for await (const { json } of accounts.exportAccountUser({ user }, call())) yield line('accounts', JSON.parse(json));
  for await (const { json } of chat.exportChatUser({ user }, call())) yield line('chat', JSON.parse(json));
  for (let beforeSequence = 0n, count = entriesAtOnce; count === entriesAtOnce; ) {
    count = 0;
    for await (const { entry } of audit.queryAudit({ user, limit: entriesAtOnce, beforeSequence }, call())) {
      if (entry === undefined) continue;
      count++;
      beforeSequence = entry.sequence;
      yield line('audit', toJson(AuditEntrySchema, entry));
    }
  }
  const { rows } = await audit.getUsageReport({}, call());
  for (const row of rows) if (row.user === user) yield line('ledger', toJson(UsageRowSchema, row));
}
