import { toJson } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type AdministrativeChange,
  type AuditEntry,
  ChangeAction,
  ChangeActionSchema,
  EntryContentSchema,
  ErasureKindSchema,
  type ErasureReceipt,
  ErasureReceiptSchema,
  type RecordRequest,
  RecordRequestSchema,
} from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { AnswerOutcome, AnswerOutcomeSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { isOfLimit } from '../subjects/changes-of-users.ts';

// Events of the Open Cybersecurity Schema Framework, https://schema.ocsf.io/1.5.0: classes API Activity (6003) and Entity Management (3004). What
// ragmesh knows beyond the schema is in `unmapped`.

/** The version of the schema. */
export const ocsfVersion = '1.5.0';

/** An event. Times are milliseconds since 1970. */
export interface OcsfEvent {
  category_uid: number;
  class_uid: number;
  /** 1 create, 2 read, 3 update, 4 delete. */
  activity_id: number;
  /** `class_uid * 100 + activity_id`. */
  type_uid: number;
  time: number;
  severity_id: number;
  [attribute: string]: unknown;
}

/** Returns an entry as an event. What was erased is absent, and `unmapped.content` says so. */
export function entryToOcsf(entry: AuditEntry): OcsfEvent {
  const { record, erasure } = entry;
  if (erasure !== undefined) return erasureOf(entry, erasure);
  if (record?.change !== undefined) return changeOf(entry, record.change);
  return answerOf(entry, record);
}

const activities = { create: 1, read: 2, update: 3, delete: 4 } as const;

function eventOf(
  { sequence, tenant, user, subject, recordedAt, record, content, hash, redactedBy }: AuditEntry,
  [categoryUid, classUid]: readonly [number, number],
  activity: keyof typeof activities,
  unmapped: object,
): OcsfEvent {
  const activityId = activities[activity];
  const time = recordedAt === undefined ? 0 : timestampMs(recordedAt);
  const { answerId = '', sessionId = '', traceId = '' } = record ?? {};
  return {
    category_uid: categoryUid,
    class_uid: classUid,
    activity_id: activityId,
    type_uid: classUid * 100 + activityId,
    time,
    // Informational.
    severity_id: 1,
    metadata: {
      version: ocsfVersion,
      product: { name: 'ragmesh', vendor_name: 'ragmesh' },
      log_name: 'audit',
      logged_time: time,
      sequence: Number(sequence),
      tenant_uid: tenant,
      ...(answerId !== '' && { uid: answerId }),
      ...(sessionId !== '' && { correlation_uid: sessionId }),
    },
    actor: { user: user === '' ? { uid: subject } : { name: user, uid: user } },
    unmapped: {
      content: EntryContentSchema.value[content]?.name,
      hash: Buffer.from(hash).toString('hex'),
      ...(subject !== '' && { subject }),
      ...(redactedBy !== 0n && { redacted_by: Number(redactedBy) }),
      ...(traceId !== '' && { trace_id: traceId }),
      ...unmapped,
    },
  };
}

const apiActivity = [6, 6003] as const;
const entityManagement = [3, 3004] as const;

function answerOf(entry: AuditEntry, record: RecordRequest | undefined): OcsfEvent {
  const outcome = record?.outcome ?? AnswerOutcome.UNSPECIFIED;
  const isWhole = outcome === AnswerOutcome.ANSWERED || outcome === AnswerOutcome.REPLIED;
  const statusId = outcome === AnswerOutcome.UNSPECIFIED ? 0 : isWhole ? 1 : 2;
  const json = record === undefined ? {} : toJson(RecordRequestSchema, record, { useProtoFieldName: true });
  const documents = new Map(record?.evidence.map((passage) => [`${passage.corpus}\0${passage.documentId}`, passage]));
  const askedAt = record?.askedAt;
  return {
    ...eventOf(entry, apiActivity, 'read', { record: json }),
    api: { operation: 'Ask', service: { name: 'ragmesh.chat.v1.ChatService' } },
    // The audit has no address of the caller: the events come from the service that has answered.
    src_endpoint: { svc_name: 'chat' },
    resources: [...documents.values()].map(({ corpus, documentId, version }) => ({
      ...{ uid: documentId, type: 'document', namespace: corpus },
      ...(version > 0n && { version: String(version) }),
    })),
    status_id: statusId,
    status_detail: AnswerOutcomeSchema.value[outcome]?.name,
    ...(askedAt !== undefined && { start_time: timestampMs(askedAt) }),
    ...(record !== undefined && { duration: Math.round(Number(record.totalUs) / 1000) }),
  };
}

function changeOf(entry: AuditEntry, change: AdministrativeChange): OcsfEvent {
  const { action, resource, actorTenant, reason, detailJson } = change;
  const name = ChangeActionSchema.value[action]?.name ?? '';
  const type = entityTypeOf(action);
  const unmapped = {
    ...(actorTenant !== '' && { actor_tenant: actorTenant }),
    ...(detailJson !== '' && { detail_json: detailJson }),
  };
  return {
    ...eventOf(entry, entityManagement, activityOf(action), unmapped),
    entity: { uid: resource, type },
    status_id: 1,
    status_detail: name,
    ...(reason !== '' && { comment: reason }),
  };
}

function entityTypeOf(action: ChangeAction): string {
  if (isOfLimit(action)) return 'limit';
  return action === ChangeAction.TENANT_PUT ? 'tenant' : 'api_key';
}

function activityOf(action: ChangeAction): keyof typeof activities {
  switch (action) {
    case ChangeAction.API_KEY_CREATED:
    case ChangeAction.BREAK_GLASS_OPENED:
      return 'create';
    case ChangeAction.API_KEY_REVOKED:
    case ChangeAction.LIMIT_REMOVED:
      return 'delete';
    case ChangeAction.BREAK_GLASS_USED:
      return 'read';
    default:
      return 'update';
  }
}

function erasureOf(entry: AuditEntry, receipt: ErasureReceipt): OcsfEvent {
  const { erasureId, kind, subject } = receipt;
  const json = toJson(ErasureReceiptSchema, receipt, { useProtoFieldName: true });
  return {
    ...eventOf(entry, entityManagement, 'delete', { erasure: json }),
    entity: { uid: subject === '' ? erasureId : subject, type: subject === '' ? 'audit_texts' : 'user' },
    status_id: 1,
    status_detail: ErasureKindSchema.value[kind]?.name,
  };
}
