import { Code } from '@connectrpc/connect';
import type { Selectable } from 'kysely';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { OverlayKind } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { lockNames } from '#kit/storage/postgres/database.ts';
import { type CorpusScope, inParts } from '../documents/document-store.ts';
import type { OverlayTable, RecordsSchema } from '../uploads/records.ts';
import type { OverlayChange, OverlayTargetKey } from './apply-overlays.ts';

/** A revision of an overlay. */
export interface StoredOverlay extends OverlayChange {
  revision: number;
  /** What it changes, as it was. */
  original: string;
  /** Groups that could see the document then; empty: everyone in the tenant. */
  groups: readonly string[];
  isDeleted: boolean;
  changedBy: string;
  changedAtMs: number;
}

/** A revision to add. */
export type NewRevision = Omit<StoredOverlay, 'revision' | 'changedAtMs'>;

/** Position after which a list of overlays continues. */
export type OverlayCursor = readonly [documentId: string, kind: number, contentHash: string];

/** Overlays of every tenant. Revisions are only added. */
export interface OverlayStore {
  /** Adds a revision and returns it. Throws RESOURCE_EXHAUSTED at the bound of a corpus. */
  put(scope: CorpusScope, revision: NewRevision): Promise<StoredOverlay>;
  /** Returns the current overlay of a target; `undefined` if there is none. */
  find(scope: CorpusScope, target: OverlayTargetKey): Promise<StoredOverlay | undefined>;
  /** Returns the current overlays of documents. */
  listOf(scope: CorpusScope, documentIds: readonly string[]): Promise<StoredOverlay[]>;
  /** Returns current overlays of a corpus, in order of document and target. `documentId`: only of this one. */
  list(
    scope: CorpusScope,
    documentId: string,
    after: OverlayCursor | undefined,
    limit: number,
  ): Promise<StoredOverlay[]>;
  /** Returns all revisions of an overlay, the latest first. */
  revisions(scope: CorpusScope, target: OverlayTargetKey): Promise<StoredOverlay[]>;
  /** Removes every revision of documents that were deleted. */
  remove(scope: CorpusScope, documentIds: readonly string[]): Promise<void>;
}

const overlaysMax = 100_000;
const revisionsMax = 200;

/** Creates a store in the records database. */
export function createOverlayStore(db: Database<RecordsSchema>, clock: () => number): OverlayStore {
  const rowsOf = ({ tenant, corpus }: CorpusScope) =>
    db.selectFrom('overlays').selectAll().where('tenant', '=', tenant).where('corpus', '=', corpus);
  const revisionsOf = (scope: CorpusScope, { documentId, kind, contentHash }: OverlayTargetKey) =>
    rowsOf(scope)
      .where('document_id', '=', documentId)
      .where('kind', '=', kind)
      .where('content_hash', '=', contentHash);
  const find = async (scope: CorpusScope, target: OverlayTargetKey) => {
    const row = await revisionsOf(scope, target).where('is_current', '=', 1).executeTakeFirst();
    return row === undefined || row.is_deleted === 1 ? undefined : toStored(row);
  };
  return {
    find,
    async put(scope, given) {
      const { tenant, corpus } = scope;
      const { documentId, kind, contentHash } = given;
      const count = await db
        .selectFrom('overlays')
        .select(db.fn.countAll<number>().as('count'))
        .where('tenant', '=', tenant)
        .where('corpus', '=', corpus)
        .where('is_current', '=', 1)
        .executeTakeFirstOrThrow();
      if (count.count >= overlaysMax) {
        const message = `the corpus has ${overlaysMax} overlays: change the documents at their source`;
        throw rpcError(Code.ResourceExhausted, ErrorReason.TOO_LARGE, message);
      }
      return db.transaction().execute(async (tx) => {
        if (engineOf(db) === 'postgres') {
          await lockNames(tx, 'overlay', [JSON.stringify([tenant, corpus, documentId, kind, contentHash])]);
        }
        const last = await tx
          .selectFrom('overlays')
          .select((eb) => eb.fn.max('revision').as('revision'))
          .where('tenant', '=', tenant)
          .where('corpus', '=', corpus)
          .where('document_id', '=', documentId)
          .where('kind', '=', kind)
          .where('content_hash', '=', contentHash)
          .executeTakeFirst();
        await tx
          .updateTable('overlays')
          .set({ is_current: 0 })
          .where('tenant', '=', tenant)
          .where('corpus', '=', corpus)
          .where('document_id', '=', documentId)
          .where('kind', '=', kind)
          .where('content_hash', '=', contentHash)
          .where('is_current', '=', 1)
          .execute();
        const row = {
          ...{ tenant, corpus, document_id: documentId, kind, content_hash: contentHash },
          revision: Number(last?.revision ?? 0) + 1,
          text: given.text ?? null,
          original: given.original,
          groups: JSON.stringify(given.groups),
          is_deleted: given.isDeleted ? 1 : 0,
          is_current: 1,
          changed_by: given.changedBy,
          changed_at: clock(),
        };
        await tx.insertInto('overlays').values(row).execute();
        return toStored(row);
      });
    },
    async listOf(scope, documentIds) {
      const found: StoredOverlay[] = [];
      for (const part of inParts(documentIds)) {
        const rows = await rowsOf(scope).where('document_id', 'in', part).where('is_current', '=', 1).execute();
        found.push(...rows.filter(({ is_deleted }) => is_deleted === 0).map(toStored));
      }
      return found;
    },
    async list(scope, documentId, after, limit) {
      let query = rowsOf(scope).where('is_current', '=', 1).where('is_deleted', '=', 0);
      if (documentId !== '') query = query.where('document_id', '=', documentId);
      if (after !== undefined) {
        query = query.where((eb) =>
          eb(eb.refTuple('document_id', 'kind', 'content_hash'), '>', eb.tuple(after[0], after[1], after[2])),
        );
      }
      const rows = await query.orderBy('document_id').orderBy('kind').orderBy('content_hash').limit(limit).execute();
      return rows.map(toStored);
    },
    async revisions(scope, target) {
      const rows = await revisionsOf(scope, target).orderBy('revision', 'desc').limit(revisionsMax).execute();
      return rows.map(toStored);
    },
    async remove({ tenant, corpus }, documentIds) {
      for (const part of inParts(documentIds)) {
        await db
          .deleteFrom('overlays')
          .where('tenant', '=', tenant)
          .where('corpus', '=', corpus)
          .where('document_id', 'in', part)
          .execute();
      }
    },
  };
}

function toStored(row: Selectable<OverlayTable>): StoredOverlay {
  return {
    documentId: row.document_id,
    kind: row.kind as OverlayKind,
    contentHash: row.content_hash,
    revision: row.revision,
    text: row.text ?? undefined,
    original: row.original,
    groups: JSON.parse(row.groups) as string[],
    isDeleted: row.is_deleted === 1,
    changedBy: row.changed_by,
    changedAtMs: row.changed_at,
  };
}
