import type { ConnectError } from '@connectrpc/connect';
import type { Transaction } from 'kysely';
import type { EvidenceRef, RecordRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import { createInsert } from '#kit/storage/insert-rows.ts';
import { createListQuery } from '#kit/storage/list-query.ts';
import { findCovered } from '../usage/ledger.ts';
import { addUsage, answerSum, isFromCache } from '../usage/usage-sums.ts';
import { chainHash, genesisHash, toCanonicalBytes } from './chain.ts';
import type { DocumentSets, WrittenSet } from './document-sets.ts';
import type { ChainHead, HeadsFile } from './heads-file.ts';
import { keyOf, tenantsOf } from './rows.ts';
import type { AuditSchema, ChainRow, DocumentRow, EntryRow } from './schema.ts';

/** A record on its way into the chain. */
export interface Submission {
  tenant: string;
  user: string;
  record: RecordRequest;
  /** The record as its entry holds it. */
  recordBytes: Uint8Array;
  /** What says something of the user, if the entry is sealed: the record has the rest. */
  personal?: Uint8Array | undefined;
  /** Set before the transaction: the subject of the user, and `personal` under its key. */
  sealed?: { subject: string; bytes: Uint8Array } | undefined;
}

/** What an append needs to know. */
export interface AppendOptions {
  /** Now, in milliseconds since 1970. */
  nowMs: number;
  sets: DocumentSets;
  /** Ends of chains that are kept outside of the database. */
  known: Pick<HeadsFile, 'of'>;
  /** Whether some of the answers may be in their chains already; if one is and this is false, the transaction fails. */
  mayRepeat: boolean;
}

/** The result of an append. */
export interface Appended {
  /** Sequence of each record; or an error for a tenant whose chain does not have the recorded end: a broken chain is not continued. */
  sequences: (number | ConnectError)[];
  /** Entries with document rows of their own. */
  written: WrittenSet[];
  /** The new ends of the chains. */
  heads: ChainHead[];
}

/**
 * Appends records to the chains of their tenants, with their documents and sums. An answer that is already in the chain keeps its
 * sequence there.
 */
export async function appendEntries(
  trx: Transaction<AuditSchema>,
  batch: readonly Submission[],
  { nowMs, sets, known: outside, mayRepeat }: AppendOptions,
): Promise<Appended> {
  if (batch.length === 0) return { sequences: [], written: [], heads: [] };
  const heads = await findHeads(trx, batch, outside);
  // An answer of a broken chain still has its sequence.
  const mustLook = mayRepeat || [...heads.values()].some(({ is_broken }) => is_broken);
  const known = mustLook ? await findKnown(trx, batch) : new Map<string, number>();
  const lasts = new Map([...heads].map(([tenant, { last_sequence }]) => [tenant, last_sequence]));
  const entries: EntryRow[] = [];
  const ends = new Map<string, ChainHead>();
  const written: WrittenSet[] = [];
  const fresh: Submission[] = [];
  const sequences = batch.map((submission) => {
    const { tenant, record, recordBytes, sealed } = submission;
    // A sealed entry names its user by the subject alone.
    const user = sealed?.subject ?? submission.user;
    const key = keyOf(tenant, record.answerId);
    const found = known.get(key);
    if (found !== undefined) return found;
    const head = heads.get(tenant) ?? { tenant, last_sequence: 0, last_hash: genesisHash, is_broken: 0 };
    if (head.is_broken) return brokenChain(head.last_sequence);
    const sequence = head.last_sequence + 1;
    const named = sealed === undefined ? { user } : { user: '', subject: sealed.subject, sealed: sealed.bytes };
    const bytes = toCanonicalBytes({ sequence, tenant, ...named, recordedAt: nowMs, recordBytes });
    const hash = chainHash(head.last_hash, bytes);
    const about = { tenant, sequence, answer_id: record.answerId, user, recorded_at: nowMs };
    const documentIds = documentsOf(record);
    const documentsAt = sets.find(tenant, documentIds, lasts.get(tenant) ?? 0) ?? null;
    entries.push({
      ...about,
      bytes,
      previous_hash: head.last_hash,
      hash,
      documents_of: documentsAt,
      redacted_by: null,
    });
    if (documentsAt === null && documentIds.length > 0) written.push({ tenant, sequence, documentIds });
    fresh.push(submission);
    known.set(key, sequence);
    heads.set(tenant, { tenant, last_sequence: sequence, last_hash: hash, is_broken: 0 });
    ends.set(tenant, { tenant, sequence, hash });
    return sequence;
  });
  if (entries.length > 0) {
    await insertEntries(trx, entries);
    await insertDocuments(
      trx,
      written.flatMap(({ tenant, sequence, documentIds }) =>
        documentIds.map((document_id) => ({ tenant, document_id, sequence })),
      ),
    );
    await saveHeads(
      trx,
      [...ends.values()].map(({ tenant, sequence, hash }) => ({ tenant, last_sequence: sequence, last_hash: hash })),
    );
    // A cached answer adds no tokens, whatever the ledger has.
    const generated = fresh.filter(({ record }) => !isFromCache(record));
    const covered = await findCovered(
      trx,
      generated.map(({ tenant, record }) => ({ tenant, answerId: record.answerId })),
    );
    // Changes by administrators are no answers.
    const answers = fresh.filter(({ record }) => record.change === undefined);
    const sums = answers.map((submission) => {
      const { tenant, record } = submission;
      return answerSum({ ...submission, recordedAt: nowMs }, covered.has(keyOf(tenant, record.answerId)));
    });
    await addUsage(trx, sums);
  }
  return { sequences, written, heads: [...ends.values()] };
}

// The evidence of a cached answer is the same list each time.
const documents = new WeakMap<readonly EvidenceRef[], readonly string[]>();

/** Returns the documents of a record, each once. */
export function documentsOf({ evidence }: RecordRequest): readonly string[] {
  let documentIds = documents.get(evidence);
  if (documentIds === undefined) {
    const ids = new Set(evidence.map(({ documentId }) => documentId));
    ids.delete('');
    documentIds = [...ids];
    documents.set(evidence, documentIds);
  }
  return documentIds;
}

async function findKnown(trx: Transaction<AuditSchema>, batch: readonly Submission[]): Promise<Map<string, number>> {
  const answerIds = [...new Set(batch.map(({ record }) => record.answerId))];
  // Answer ids are practically unique over all tenants, so this reads no more rows than a query by pairs.
  const rows = await trx
    .selectFrom('entries')
    .select(['tenant', 'answer_id', 'sequence'])
    .where('tenant', 'in', tenantsOf(batch))
    .where('answer_id', 'in', answerIds)
    .execute();
  return new Map(rows.map(({ tenant, answer_id, sequence }) => [keyOf(tenant, answer_id), sequence]));
}

/** The end of a chain, and whether it is the recorded one. */
export interface Head extends ChainRow {
  is_broken: number;
}

/** Returns the ends of the chains, each compared with the entries: the last one has the recorded hash, and none is after it. */
export async function findHeads(
  trx: Transaction<AuditSchema>,
  batch: readonly { tenant: string }[],
  outside: Pick<HeadsFile, 'of'>,
): Promise<Map<string, Head>> {
  const tenants = tenantsOf(batch);
  const rows = await selectHeads(trx, tenants);
  const heads = new Map<string, Head>(rows.map((row) => [row.tenant, row]));
  // A chain whose end was removed.
  const endless = tenants.filter((tenant) => !heads.has(tenant));
  if (endless.length > 0) {
    const begun = await trx
      .selectFrom('entries')
      .select('tenant')
      .where('tenant', 'in', endless)
      .where('sequence', '=', 1)
      .execute();
    for (const { tenant } of begun) {
      heads.set(tenant, { tenant, last_sequence: 0, last_hash: genesisHash, is_broken: 1 });
    }
  }
  // A chain that is shorter than it was: a new one in its place would hide what was lost.
  for (const tenant of tenants) {
    const lastSequence = heads.get(tenant)?.last_sequence ?? 0;
    if ((outside.of(tenant)?.sequence ?? 0) <= lastSequence) continue;
    heads.set(tenant, { tenant, last_sequence: lastSequence, last_hash: genesisHash, is_broken: 1 });
  }
  return heads;
}

/** Returns the error of a chain that does not have its recorded end. */
export function brokenChain(lastSequence: number): ConnectError {
  const message = 'the audit chain of this tenant is broken at its end: restore the audit database from a backup';
  const metadata = { sequence: String(lastSequence) };
  return failedPrecondition(ErrorReason.AUDIT_CHAIN_BROKEN, message, { metadata });
}

const selectHeads = createListQuery((db: Database<AuditSchema>, tenants: readonly string[]) =>
  db
    .selectFrom('chains')
    .leftJoin('entries as last', (join) =>
      join.onRef('last.tenant', '=', 'chains.tenant').onRef('last.sequence', '=', 'chains.last_sequence'),
    )
    .leftJoin('entries as next', (join) =>
      join
        .onRef('next.tenant', '=', 'chains.tenant')
        .on('next.sequence', '=', (eb) => eb('chains.last_sequence', '+', 1)),
    )
    .select(['chains.tenant', 'chains.last_sequence', 'chains.last_hash'])
    .select((eb) =>
      eb
        .or([eb('last.hash', 'is distinct from', eb.ref('chains.last_hash')), eb('next.sequence', 'is not', null)])
        .$castTo<number>()
        .as('is_broken'),
    )
    .where('chains.tenant', 'in', tenants),
);

/** Inserts entries as they are. */
export const insertEntries = createInsert((db: Database<AuditSchema>, row: EntryRow) =>
  db.insertInto('entries').values(row),
);

const insertDocuments = createInsert((db: Database<AuditSchema>, row: DocumentRow) =>
  db.insertInto('entry_documents').values(row),
);

/** Writes the ends of chains. */
export const saveHeads = createInsert((db: Database<AuditSchema>, row: ChainRow) =>
  db
    .insertInto('chains')
    .values(row)
    .onConflict((conflict) =>
      conflict.column('tenant').doUpdateSet((eb) => ({
        last_sequence: eb.ref('excluded.last_sequence'),
        last_hash: eb.ref('excluded.last_hash'),
      })),
    ),
);
