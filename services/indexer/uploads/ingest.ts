import { createHash, type Hash } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import type { AccessList } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { FileHeader, IngestDocumentsRequest, IngestStart } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { invalidArgument, rpcError, tooLarge } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { IndexerSettings } from '../config.ts';
import type { JobStore } from '../jobs/job-store.ts';
import type { StagedFile, Uploads } from './uploads.ts';

/** Dependencies of an upload. */
export interface IngestDeps {
  jobs: JobStore;
  uploads: Uploads;
  settings: Pick<IndexerSettings, 'maxFileBytes' | 'maxUploadBytes'>;
  newJobId(): string;
}

const filesMax = 100_000;
/** An upload of at most this size is taken before larger ones: a person waits for it, and it takes seconds. */
const urgentBytesMax = 1 << 20;
/** Largest number of open jobs of a tenant. */
const openJobsMax = 1000;

/**
 * Receives an upload and returns its job. Once it resolves, the bytes and the job are durable; if it rejects, nothing is left.
 * Bytes without a job are removed at the next start.
 */
export async function ingest(
  requests: AsyncIterable<IngestDocumentsRequest>,
  context: CallContext,
  { jobs, uploads, settings, newJobId }: IngestDeps,
): Promise<{ jobId: string; fileCount: number; sizeBytes: bigint }> {
  const { tenant, user, groups } = context.principal;
  await requireRoom(jobs, tenant);
  const jobId = newJobId();
  const upload: Received = { start: undefined, files: [], sizeBytes: 0 };
  const bytes = receive(untilAborted(requests, context.signal), upload, settings);
  await uploads.store(jobId, bytes, () => upload.files, context.signal);
  const { start, files, sizeBytes } = upload;
  try {
    const { corpus, deleteMissing } = start as IngestStart;
    const isUrgent = sizeBytes <= urgentBytesMax;
    await jobs.add({ jobId, tenant, user, groups, corpus, deleteMissing, totalBytes: sizeBytes, isUrgent });
  } catch (error) {
    await uploads.remove(jobId).catch(() => {});
    throw error;
  }
  return { jobId, fileCount: files.length, sizeBytes: BigInt(sizeBytes) };
}

/** Throws RESOURCE_EXHAUSTED if the tenant has too many open jobs. */
export async function requireRoom(jobs: JobStore, tenant: string): Promise<void> {
  if ((await jobs.countOpen(tenant)) < openJobsMax) return;
  const message = `${openJobsMax} jobs are already waiting: try again after some are done`;
  throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 60_000 });
}

/** What has arrived of an upload. */
interface Received {
  start: IngestStart | undefined;
  files: StagedFile[];
  sizeBytes: number;
}

/** A file whose bytes arrive. */
interface OpenFile {
  header: FileHeader;
  file: StagedFile;
  hash: Hash;
}

/** Yields the bytes of all files and records in `upload` what has arrived. Throws if the upload is not allowed. */
async function* receive(
  requests: AsyncIterable<IngestDocumentsRequest>,
  upload: Received,
  { maxFileBytes, maxUploadBytes }: IngestDeps['settings'],
): AsyncIterable<Uint8Array> {
  const paths = new Set<string>();
  let open: OpenFile | undefined;
  for await (const { part } of requests) {
    if (upload.start === undefined) {
      if (part.case !== 'start') throw invalidArgument('the first message must be the start');
      upload.start = part.value;
      continue;
    }
    switch (part.case) {
      case 'start':
        throw invalidArgument('an upload has one start');
      case 'file': {
        finish(open);
        checkHeader(part.value, paths, maxFileBytes, upload.files.length);
        const file = toFile(part.value, upload.start.defaultAccess, upload.sizeBytes);
        open = { header: part.value, file, hash: createHash('sha256') };
        upload.files.push(file);
        break;
      }
      case 'data': {
        if (open === undefined) throw invalidArgument('data: a file header must come before it');
        open.file.sizeBytes += part.value.byteLength;
        upload.sizeBytes += part.value.byteLength;
        if (open.file.sizeBytes > maxFileBytes) throw tooLarge(`the file "${open.file.path}"`, maxFileBytes);
        if (upload.sizeBytes > maxUploadBytes) throw tooLarge('the upload', maxUploadBytes);
        open.hash.update(part.value);
        yield part.value;
        break;
      }
      default:
        throw invalidArgument('each message must hold a part');
    }
  }
  if (upload.start === undefined) throw invalidArgument('the upload is empty: send the start, then files');
  finish(open);
  if (upload.files.length === 0) throw invalidArgument('the upload has no files');
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

/** Ends a file. Throws if it has fewer or more bytes than its header says: it was cut off on the way. */
function finish(open: OpenFile | undefined): void {
  if (open === undefined) return;
  const { header, file, hash } = open;
  file.sha256 = hash.digest('hex');
  if (header.sizeBytes === 0n || header.sizeBytes === BigInt(file.sizeBytes)) return;
  throw invalidArgument(
    `file.size_bytes: "${file.path}" should have ${header.sizeBytes} bytes, but ${file.sizeBytes} arrived: upload it again`,
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
    ...(Object.keys(header.columns).length > 0 && { columns: header.columns }),
    ...(header.password !== '' && { password: header.password }),
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
