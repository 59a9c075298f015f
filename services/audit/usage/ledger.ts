import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Transaction } from 'kysely';
import type { RecordRequest, RecordUsageRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { createInsert } from '#kit/storage/insert-rows.ts';
import { fromCanonicalBytes } from '../records/chain.ts';
import { keyOf, tenantsOf } from '../records/rows.ts';
import type { AuditSchema, LedgerRow } from '../records/schema.ts';
import { addUsage, type CountedAnswer, coveredSum, ledgerSums } from './usage-sums.ts';

/** Usage to add to the ledger. */
export interface UsageSubmission {
  tenant: string;
  user: string;
  /** Id of the API key of the call; empty: none. */
  key: string;
  request: RecordUsageRequest;
  /** The request as the ledger holds it. */
  bytes: Uint8Array;
}

interface AnswerKey {
  tenant: string;
  answerId: string;
}

/** Returns the answer that a request was made for: requests for one answer are named after it, "a1", "a1/2", "a1/rewrite". */
export function answerOf(requestId: string): string {
  return requestId.split('/', 1)[0] as string;
}

/**
 * Adds usage to the ledger, each request id of a tenant once, and to the sums. Returns for each whether it was new. If an
 * answer has counted by its own usage until now, that usage is subtracted.
 */
export async function appendUsage(
  trx: Transaction<AuditSchema>,
  batch: readonly UsageSubmission[],
  nowMs: number,
): Promise<boolean[]> {
  if (batch.length === 0) return [];
  const known = await findKnown(trx, batch);
  const fresh: (UsageSubmission & AnswerKey & { atMs: number })[] = [];
  const results = batch.map((submission) => {
    const { tenant, request } = submission;
    const key = keyOf(tenant, request.requestId);
    if (known.has(key)) return false;
    known.add(key);
    const requestedAt = request.requestedAt === undefined ? nowMs : timestampMs(request.requestedAt);
    // A clock that is ahead must not write future days.
    fresh.push({ ...submission, answerId: answerOf(request.requestId), atMs: Math.min(requestedAt, nowMs) });
    return true;
  });
  const answers = await findCountedAnswers(trx, fresh);
  await insertLedger(
    trx,
    fresh.map((submission) => toRow(submission, nowMs)),
  );
  const added = fresh.flatMap(ledgerSums);
  await addUsage(trx, [...added, ...answers.map(coveredSum)]);
  return results;
}

/** Returns the answers that have an entry in the ledger. */
export async function findCovered(trx: Transaction<AuditSchema>, answers: readonly AnswerKey[]): Promise<Set<string>> {
  if (answers.length === 0) return new Set();
  const rows = await trx
    .selectFrom('ledger')
    .select(['tenant', 'answer_id'])
    .distinct()
    .where('tenant', 'in', tenantsOf(answers))
    .where('answer_id', 'in', [...new Set(answers.map(({ answerId }) => answerId))])
    .execute();
  return new Set(rows.map(({ tenant, answer_id }) => keyOf(tenant, answer_id)));
}

async function findKnown(trx: Transaction<AuditSchema>, batch: readonly UsageSubmission[]): Promise<Set<string>> {
  const rows = await trx
    .selectFrom('ledger')
    .select(['tenant', 'request_id'])
    .where('tenant', 'in', tenantsOf(batch))
    .where('request_id', 'in', [...new Set(batch.map(({ request }) => request.requestId))])
    .execute();
  return new Set(rows.map(({ tenant, request_id }) => keyOf(tenant, request_id)));
}

/** Returns the entries of answers that have counted by their own usage until now. */
async function findCountedAnswers(
  trx: Transaction<AuditSchema>,
  fresh: readonly AnswerKey[],
): Promise<CountedAnswer[]> {
  const covered = await findCovered(trx, fresh);
  const wanted = fresh.filter(({ tenant, answerId }) => !covered.has(keyOf(tenant, answerId)));
  if (wanted.length === 0) return [];
  const keys = new Set(wanted.map(({ tenant, answerId }) => keyOf(tenant, answerId)));
  const rows = await trx
    .selectFrom('entries')
    .leftJoin('subjects', (join) =>
      join.onRef('subjects.tenant', '=', 'entries.tenant').onRef('subjects.subject', '=', 'entries.user'),
    )
    .select(['entries.tenant', 'answer_id', 'recorded_at', 'bytes'])
    // A sealed entry names its user by the subject; the sums of an erased user have it in the place of the user.
    .select((eb) => eb.fn.coalesce('subjects.user', 'entries.user').as('user'))
    .where('entries.tenant', 'in', tenantsOf(wanted))
    .where('answer_id', 'in', [...new Set(wanted.map(({ answerId }) => answerId))])
    .execute();
  return rows
    .filter(({ tenant, answer_id }) => keys.has(keyOf(tenant, answer_id)))
    .map(({ tenant, user, recorded_at, bytes }) => ({
      ...{ tenant, user, recordedAt: recorded_at },
      record: fromCanonicalBytes(bytes).record as RecordRequest,
    }));
}

const insertLedger = createInsert((db: Database<AuditSchema>, row: LedgerRow) => db.insertInto('ledger').values(row));

function toRow(submission: UsageSubmission & AnswerKey & { atMs: number }, nowMs: number): LedgerRow {
  const { tenant, user, answerId, atMs, request, bytes } = submission;
  return {
    ...{ tenant, request_id: request.requestId, answer_id: answerId, user },
    ...{ requested_at: atMs, recorded_at: nowMs, bytes },
  };
}
