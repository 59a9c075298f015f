import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  AdministrativeChangeSchema,
  type RecordRequest,
  RecordRequestSchema,
  SealedContentSchema,
  type ToolCallRecord,
} from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { GuardrailPoint } from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import { isOfUser } from './changes-of-users.ts';
import { decrypt, encrypt } from './key-wrapper.ts';
import type { Subject } from './subjects.ts';

/** A record in two parts. */
export interface SplitRecord {
  /** What says nothing of the user: passages and what guardrails say of them, model, usage, times. */
  open: RecordRequest;
  /** A SealedContent with the rest. */
  personal: Uint8Array;
}

const nothing = { sessionId: '', question: '', standaloneQuestion: '', answer: '', unsupportedClaims: [] };

/** Splits a record. Lists that stay are the same objects, so that their bytes are made once. */
export function splitRecord(user: string, record: RecordRequest): SplitRecord {
  const { sessionId, question, standaloneQuestion, answer, unsupportedClaims, toolCalls, guardrailVerdicts } = record;
  const texts = { sessionId, question, standaloneQuestion, answer, unsupportedClaims, toolCalls, guardrailVerdicts };
  const personal = create(SealedContentSchema, { user, record: create(RecordRequestSchema, texts) });
  return { open: openPartOf(record), personal: toBinary(SealedContentSchema, personal, { writeUnknownFields: false }) };
}

/** Returns a record without what says something of its user. */
export function openPartOf(record: RecordRequest): RecordRequest {
  // The rule that a question breaks says what it was about.
  const guardrailVerdicts = record.guardrailVerdicts.filter(({ point }) => point === GuardrailPoint.EVIDENCE);
  return { ...record, ...nothing, guardrailVerdicts, toolCalls: record.toolCalls.map(withoutTexts) };
}

/** Returns a record without texts: also without why an administrator made a change, and whom the change was about. */
export function redactedPartOf(record: RecordRequest): RecordRequest {
  const open = openPartOf(record);
  if (open.change === undefined) return open;
  const { action, resource, actorTenant } = open.change;
  // A key and a tenant are no persons.
  const named = isOfUser(open.change) ? {} : { resource };
  return { ...open, change: create(AdministrativeChangeSchema, { action, actorTenant, ...named }) };
}

/** Encrypts the personal part of an answer. */
export function sealPersonal({ tenant, subject, key }: Subject, answerId: string, personal: Uint8Array): Uint8Array {
  if (key === undefined) throw new Error('the key that wraps the keys of users is not configured');
  return encrypt(key, personal, contextOf(tenant, subject, answerId));
}

/** A sealed entry, opened. */
export interface Opened {
  user: string;
  record: RecordRequest;
}

/** Returns the user and the whole record of a sealed entry; `undefined` if the key does not open it. */
export function openRecord(
  { tenant, subject, key }: Subject,
  record: RecordRequest,
  sealed: Uint8Array,
): Opened | undefined {
  const bytes = key && decrypt(key, sealed, contextOf(tenant, subject, record.answerId));
  if (bytes === undefined) return undefined;
  const { user, record: texts } = fromBinary(SealedContentSchema, bytes);
  if (texts === undefined) return undefined;
  const { sessionId, question, standaloneQuestion, answer, unsupportedClaims, toolCalls } = texts;
  return {
    user,
    record: {
      ...record,
      ...{ sessionId, question, standaloneQuestion, answer, unsupportedClaims, toolCalls },
      // Entries of earlier releases have them in the record.
      ...(texts.guardrailVerdicts.length > 0 && { guardrailVerdicts: texts.guardrailVerdicts }),
    },
  };
}

const contextOf = (tenant: string, subject: string, answerId: string) => `entry\0${tenant}\0${subject}\0${answerId}`;

const withoutTexts = (call: ToolCallRecord): ToolCallRecord => ({ ...call, argumentsJson: '', detail: '' });
