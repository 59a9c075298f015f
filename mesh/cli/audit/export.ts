import type { Client } from '@connectrpc/connect';
import type { AuditExportFormat, AuditExportService } from '#gen/ragmesh/audit/v1/audit_export_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import type { Batch, ExportSink } from './sinks/sink.ts';

/** Most entries of a batch. */
const maxBatchCount = 1000;
/** A batch that has as many bytes takes no further line. */
const maxBatchBytes = 4 << 20;

/** What is exported, and until when. */
export interface ExportOptions {
  client: Pick<Client<typeof AuditExportService>, 'exportAudit'>;
  format: AuditExportFormat;
  withHashedBytes: boolean;
  /** Pause before new entries are looked for, in milliseconds; `undefined`: the export ends with the last entry. */
  followMs?: number | undefined;
}

/** Writes the entries that a target lacks to it, in order, a batch in memory at a time. Returns the number of entries that it has written. */
export async function exportTo(sink: ExportSink, options: ExportOptions, signal: AbortSignal): Promise<number> {
  const { followMs } = options;
  let count = 0;
  let { sequence, through } = await sink.resume();
  for (;;) {
    const batch = await readBatch(options, sequence, through, signal);
    if (batch !== undefined) {
      await sink.write(batch, signal);
      count += batch.lines.length;
      sequence = batch.last;
      through = undefined;
    } else if (followMs === undefined) {
      return count;
    } else {
      await sleep(followMs, signal);
    }
  }
}

/** Reads the next batch; up to `through` exactly if it is given. */
async function readBatch(
  { client, format, withHashedBytes }: ExportOptions,
  after: number,
  through: number | undefined,
  signal: AbortSignal,
): Promise<Batch | undefined> {
  const limit = through === undefined ? maxBatchCount : through - after;
  const request = { afterSequence: BigInt(after), format, withHashedBytes, limit };
  const lines: string[] = [];
  let last = after;
  let sizeBytes = 0;
  for await (const { sequence, line } of client.exportAudit(request, { signal })) {
    if (Number(sequence) !== last + 1) throw new Error(`entry ${last + 1} is missing in the export`);
    lines.push(line);
    last += 1;
    sizeBytes += Buffer.byteLength(line);
    if (through === undefined && sizeBytes >= maxBatchBytes) break;
  }
  if (through !== undefined && last !== through) throw new Error(`entry ${last + 1} is missing in the export`);
  return lines.length === 0 ? undefined : { after, last, lines };
}
