import type { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { inParts } from '../documents/document-store.ts';
import type { PreparedNote } from '../prepare/prepared.ts';
import type { NoteTable, RecordsSchema } from '../uploads/records.ts';

/** Position after which a list of notes continues. */
export type NoteCursor = Pick<PreparedNote, 'fileIndex' | 'path' | 'line'> & { kind: number };

/** The sum of the notes of a kind. */
export interface NoteTotal {
  kind: NoteKind;
  fileCount: number;
  count: number;
}

/** Notes of jobs, in the order of their upload. */
export interface NoteStore {
  /** Stores notes. A second note of the same kind on the same line is ignored. */
  add(jobId: string, notes: readonly PreparedNote[]): Promise<void>;
  list(jobId: string, after: NoteCursor | undefined, limit: number): Promise<NoteTable[]>;
  totals(jobId: string): Promise<NoteTotal[]>;
}

/** Notes stored for a job; further ones are only counted. */
const notesMax = 10_000;

/** Creates a store in the records database. */
export function createNoteStore(db: Database<RecordsSchema>): NoteStore {
  return {
    async add(jobId, notes) {
      if (notes.length === 0) return;
      const { held } = await db
        .selectFrom('notes')
        .select(db.fn.countAll<number>().as('held'))
        .where('job_id', '=', jobId)
        .executeTakeFirstOrThrow();
      const rows = notes.slice(0, Math.max(0, notesMax - held)).map((note) => ({
        job_id: jobId,
        file_index: note.fileIndex,
        path: note.path,
        line: note.line,
        kind: note.kind,
        parts: note.count,
        message: note.message,
      }));
      for (const part of inParts(rows)) {
        await db
          .insertInto('notes')
          .values(part)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
    },

    async list(jobId, after, limit) {
      let query = db
        .selectFrom('notes')
        .selectAll()
        .where('job_id', '=', jobId)
        .orderBy('file_index')
        .orderBy('path')
        .orderBy('line')
        .orderBy('kind')
        .limit(limit);
      if (after !== undefined) {
        const { fileIndex, path, line, kind } = after;
        query = query.where((eb) =>
          eb(eb.refTuple('file_index', 'path', 'line', 'kind'), '>', eb.tuple(fileIndex, path, line, kind)),
        );
      }
      return query.execute();
    },

    async totals(jobId) {
      const rows = await db
        .selectFrom('notes')
        .select(['kind', (eb) => eb.fn.sum<number>('parts').as('parts')])
        .select((eb) => eb.fn.count<number>('path').distinct().as('files'))
        .where('job_id', '=', jobId)
        .groupBy('kind')
        .orderBy('kind')
        .execute();
      return rows.map(({ kind, parts, files }) => ({
        kind: kind as NoteKind,
        count: Number(parts),
        fileCount: Number(files),
      }));
    },
  };
}
