import { Code } from '@connectrpc/connect';
import type { AccessList } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { FileHeader, IngestDocumentsRequest, IngestStart } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { invalidArgument, rpcError, tooLarge, unavailable } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { IndexerSettings } from '../config.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { StagedFile, Uploads, UploadWriter } from './uploads.ts';

/** Dependencies of an upload. */
export interface IngestDeps {
  queue: JobQueue;
  uploads: Uploads;
  settings: Pick<IndexerSettings, 'maxFileBytes' | 'maxUploadBytes'>;
  newJobId(): string;
}

const filesMax = 100_000;
/** Largest number of open jobs of a tenant. */
const openJobsMax = 1000;

/**
 * Receives an upload and returns its job. Once it resolves, the bytes and the job are durable; if it rejects, nothing is left.
 * Bytes without a job are removed at the next start.
 */
export async function ingest(
  requests: AsyncIterable<IngestDocumentsRequest>,
  context: CallContext,
  { queue, uploads, settings, newJobId }: IngestDeps,
): Promise<{ jobId: string; fileCount: number; sizeBytes: bigint }> {
  const { tenant, user, groups } = context.principal;
  if ((await queue.countOpen(tenant)) >= openJobsMax) {
    const message = `${openJobsMax} jobs are already waiting: try again after some are done`;
    throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 60_000 });
  }
  const jobId = newJobId();
  const writer = await uploads.begin(jobId);
  let isQueued = false;
  try {
    const { start, files, sizeBytes } = await receive(untilAborted(requests, context.signal), writer, settings);
    await writer.finish(files);
    const { corpus, deleteMissing } = start;
    await queue.add({ jobId, tenant, user, groups, corpus, deleteMissing, totalBytes: sizeBytes });
    isQueued = true;
    return { jobId, fileCount: files.length, sizeBytes: BigInt(sizeBytes) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw unavailable('disk', 'the disk of the indexer is full: free some of it, then upload again', error);
    }
    throw error;
  } finally {
    if (!isQueued) await writer.discard();
  }
}

async function receive(
  requests: AsyncIterable<IngestDocumentsRequest>,
  writer: UploadWriter,
  { maxFileBytes, maxUploadBytes }: IngestDeps['settings'],
): Promise<{ start: IngestStart; files: StagedFile[]; sizeBytes: number }> {
  const files: StagedFile[] = [];
  const paths = new Set<string>();
  let start: IngestStart | undefined;
  let open: { header: FileHeader; file: StagedFile } | undefined;
  let sizeBytes = 0;
  for await (const { part } of requests) {
    if (start === undefined) {
      if (part.case !== 'start') throw invalidArgument('the first message must be the start');
      start = part.value;
      continue;
    }
    switch (part.case) {
      case 'start':
        throw invalidArgument('an upload has one start');
      case 'file': {
        checkSize(open);
        checkHeader(part.value, paths, maxFileBytes, files.length);
        open = { header: part.value, file: toFile(part.value, start.defaultAccess, sizeBytes) };
        files.push(open.file);
        break;
      }
      case 'data': {
        if (open === undefined) throw invalidArgument('data: a file header must come before it');
        open.file.sizeBytes += part.value.byteLength;
        sizeBytes += part.value.byteLength;
        if (open.file.sizeBytes > maxFileBytes) throw tooLarge(`the file "${open.file.path}"`, maxFileBytes);
        if (sizeBytes > maxUploadBytes) throw tooLarge('the upload', maxUploadBytes);
        await writer.write(part.value);
        break;
      }
      default:
        throw invalidArgument('each message must hold a part');
    }
  }
  if (start === undefined) throw invalidArgument('the upload is empty: send the start, then files');
  checkSize(open);
  if (files.length === 0) throw invalidArgument('the upload has no files');
  return { start, files, sizeBytes };
}

function checkHeader(
  { path, sizeBytes }: FileHeader,
  paths: Set<string>,
  maxFileBytes: number,
  fileCount: number,
): void {
  if (paths.has(path)) throw invalidArgument(`file.path: "${path}" is in this upload twice`);
  if (fileCount >= filesMax)
    throw invalidArgument(`an upload may have ${filesMax} files: send the others in another one`);
  // Checked before the bytes arrive, so that they need not be sent.
  if (sizeBytes > BigInt(maxFileBytes)) throw tooLarge(`the file "${path}"`, maxFileBytes);
  paths.add(path);
}

/** Throws if a file has fewer or more bytes than its header says: it was cut off on the way. */
function checkSize(open: { header: FileHeader; file: StagedFile } | undefined): void {
  if (open === undefined || open.header.sizeBytes === 0n) return;
  const { path, sizeBytes } = open.file;
  if (open.header.sizeBytes === BigInt(sizeBytes)) return;
  throw invalidArgument(
    `file.size_bytes: "${path}" should have ${open.header.sizeBytes} bytes, but ${sizeBytes} arrived: upload it again`,
  );
}

function toFile(header: FileHeader, defaultAccess: AccessList | undefined, offset: number): StagedFile {
  return {
    path: header.path,
    mediaType: header.mediaType.toLowerCase(),
    offset,
    sizeBytes: 0,
    groups: [...((header.access ?? defaultAccess)?.groups ?? [])],
    attributes: header.attributes,
  };
}

/** Yields the messages until the signal aborts: after a disconnect, the open file must be closed. */
async function* untilAborted<T>(messages: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  const iterator = messages[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  aborted.promise.catch(() => {});
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const result = await Promise.race([iterator.next(), aborted.promise]);
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Not awaited, because the source may hang.
    iterator.return?.()?.then(undefined, () => {});
  }
}
