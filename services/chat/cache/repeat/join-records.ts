import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type CallOptions, type Client, Code, ConnectError } from '@connectrpc/connect';
import {
  type AuditService,
  type RecordRequestSchema,
  type RecordResponse,
  RecordResponseSchema,
} from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { internal } from '#kit/base/errors.ts';

/**
 * Returns a client of the audit for answers of one caller that are recorded in the same turn: their records leave in one call, and each fails
 * or is durable with it.
 */
export function joinRecords(audit: Pick<Client<typeof AuditService>, 'record' | 'recordAll'>, options: CallOptions) {
  let records: MessageInitShape<typeof RecordRequestSchema>[] = [];
  let sent: Promise<readonly bigint[]> | undefined;
  const send = async () => {
    // All records of this turn.
    await new Promise<void>((resolve) => queueMicrotask(resolve));
    const all = records;
    records = [];
    sent = undefined;
    try {
      return (await audit.recordAll({ records: all }, options)).sequences;
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unimplemented) throw error;
      // An audit of an earlier release.
      return Promise.all(all.map(async (record) => (await audit.record(record, options)).sequence));
    }
  };
  return {
    async record(record: MessageInitShape<typeof RecordRequestSchema>): Promise<RecordResponse> {
      const index = records.push(record) - 1;
      sent ??= send();
      const sequence = (await sent)[index];
      if (sequence === undefined) throw internal(new Error('the audit replied without a sequence'));
      return create(RecordResponseSchema, { sequence });
    },
  };
}
