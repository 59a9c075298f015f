import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type AccessList, AccessListSchema, type Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReasonSchema } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  type Document,
  DocumentSchema,
  type Failure,
  FailureSchema,
  type Job,
  JobKind,
  JobSchema,
  type Note,
  type NoteKind,
  NoteSchema,
} from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import type { StoredDocument } from './documents/document-store.ts';
import { gateShownTo, reportOf } from './gate/report.ts';
import type { JobRecord } from './jobs/job-store.ts';
import { toLanguage } from './jobs/run/index-client.ts';
import type { FailureTable, NoteTable } from './uploads/records.ts';

/** Returns a job as a message of the contract, with what the caller may see of it. */
export function toJob(record: JobRecord, principal: Principal): Job {
  const { progress } = record;
  return create(JobSchema, {
    jobId: record.jobId,
    corpus: record.corpus,
    state: record.state,
    phase: record.phase,
    progress: {
      documentCount: BigInt(progress.documentCount),
      changedCount: BigInt(progress.changedCount),
      indexedCount: BigInt(progress.indexedCount),
      unchangedCount: BigInt(progress.unchangedCount),
      removedCount: BigInt(progress.removedCount),
      failedCount: BigInt(progress.failedCount),
      chunkCount: BigInt(progress.chunkCount),
      readBytes: BigInt(progress.readBytes),
      totalBytes: BigInt(progress.totalBytes),
      noteCount: BigInt(progress.noteCount),
    },
    attemptCount: record.attemptCount,
    error: record.error,
    createdAt: timestampFromMs(record.createdAtMs),
    updatedAt: timestampFromMs(record.updatedAtMs),
    version: record.version,
    revision: record.revision,
    gate: gateShownTo(principal, reportOf(record.gate)),
    kind: kindOf[record.source.kind],
  });
}

const kindOf = { upload: JobKind.UPLOAD, edit: JobKind.EDIT, reindex: JobKind.REINDEX };

/** Returns a failure as a message of the contract. */
export function toFailure({ path, line, reason, message }: FailureTable): Failure {
  return create(FailureSchema, { path, line: BigInt(line), reason: enumName(ErrorReasonSchema, reason), message });
}

/** Returns a note as a message of the contract. */
export function toNote({ path, line, kind, parts, message }: NoteTable): Note {
  return create(NoteSchema, { path, line: BigInt(line), kind: kind as NoteKind, count: BigInt(parts), message });
}

/** Returns a document as a message of the contract. */
export function toDocument(corpus: string, stored: StoredDocument, access: AccessList | undefined): Document {
  return create(DocumentSchema, {
    documentId: stored.documentId,
    corpus,
    title: stored.title,
    url: stored.url,
    language: toLanguage(stored.language),
    access,
    attributes: stored.attributes,
    chunkCount: stored.chunkCount,
    length: stored.length,
    ...(stored.updatedAtMs !== undefined && { updatedAt: timestampFromMs(stored.updatedAtMs) }),
    indexedAt: timestampFromMs(stored.indexedAtMs),
  });
}

/** Returns the position after a page as an opaque token. */
export function toPageToken(cursor: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

/** Returns the values of a page token, one for each type. Throws INVALID_ARGUMENT if the token is not of that form. */
export function fromPageToken<T extends ('string' | 'number')[]>(
  token: string,
  ...types: T
): { [K in keyof T]: T[K] extends 'string' ? string : number } {
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    values = undefined;
  }
  const isSound =
    Array.isArray(values) &&
    values.length === types.length &&
    types.every((type, index) => typeof values[index] === type);
  if (!isSound) throw invalidArgument('page_token: is not a token of this list: start again without one');
  return values as never;
}

/** Returns groups as an access list; without groups, everyone in the tenant may see. */
export function accessListOf(groups: readonly string[]): AccessList {
  return create(AccessListSchema, { groups: [...groups] });
}
