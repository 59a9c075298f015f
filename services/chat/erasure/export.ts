import { fromBinary, toJson } from '@bufbuild/protobuf';
import { TurnSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { Owner } from '../sessions/owner.ts';
import type { SessionSchema } from '../sessions/schema.ts';

/** What is exported, in this order. */
export const exportedKinds = ['session', 'answer', 'feedback'] as const;

/** A kind of records. */
export type ExportedKind = (typeof exportedKinds)[number];

/** A page of records as JSON objects; `next` is what the following page begins after, `undefined` at the end. */
export interface ExportedPage {
  lines: string[];
  next: string | undefined;
}

const pageSize = 100;

/** Creates the export of what is stored of a user. */
export function createExports(database: Database<SessionSchema>) {
  return {
    /** Returns a page of one kind. */
    async exportPage({ tenant, user }: Owner, kind: ExportedKind, after: string): Promise<ExportedPage> {
      const { table, key } = places[kind];
      const rows: Record<string, unknown>[] = await database
        .selectFrom(table)
        .selectAll()
        .where('tenant', '=', tenant)
        .where('user', '=', user)
        .where(database.dynamic.ref(key), '>', after)
        .orderBy(database.dynamic.ref(key))
        .limit(pageSize)
        .execute();
      return {
        lines: rows.map((row) => JSON.stringify({ kind, ...toPlain(row) })),
        next: rows.length < pageSize ? undefined : String(rows.at(-1)?.[key]),
      };
    },
  };
}

const places = {
  session: { table: 'session', key: 'id' },
  answer: { table: 'answer', key: 'answer_id' },
  feedback: { table: 'rating', key: 'answer_id' },
} as const;

function toPlain({ citations, ...row }: Record<string, unknown>): Record<string, unknown> {
  if (!(citations instanceof Uint8Array)) return row;
  return { ...row, turn: toJson(TurnSchema, fromBinary(TurnSchema, citations)) };
}
