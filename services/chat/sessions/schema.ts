import type { Generated } from 'kysely';

/** Tables of sessions. */
export interface SessionSchema {
  session: {
    id: string;
    tenant: string;
    user: string;
    title: string;
    created_at: number;
    updated_at: number;
    turn_count: number;
  };
  /** Every answer: a turn of its session, or, without a session, only its owner. */
  answer: {
    seq: Generated<number>;
    answer_id: string;
    session_id: string | null;
    tenant: string;
    user: string;
    question: string;
    answer: string;
    asked_at: number;
    /** A `ragmesh.chat.v1.Turn` with citations only. */
    citations: Uint8Array;
  };
  feedback: { answer_id: string; rating: number; comment: string; submitted_at: number };
}

/** Schema changes, oldest first. Times are milliseconds since 1970. A trigger counts turns, so that a turn and its count are written together. */
export const sessionMigrations: readonly string[] = [
  `CREATE TABLE session (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, user TEXT NOT NULL, title TEXT NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, turn_count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_owner ON session (tenant, user, updated_at, id);
CREATE INDEX session_by_age ON session (updated_at);
CREATE TABLE answer (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, answer_id TEXT NOT NULL UNIQUE,
  session_id TEXT REFERENCES session (id) ON DELETE CASCADE, tenant TEXT NOT NULL, user TEXT NOT NULL,
  question TEXT NOT NULL, answer TEXT NOT NULL, asked_at INTEGER NOT NULL, citations BLOB NOT NULL
) STRICT;
CREATE INDEX answer_by_session ON answer (session_id, seq);
CREATE INDEX answer_by_age ON answer (asked_at) WHERE session_id IS NULL;
CREATE TABLE feedback (
  answer_id TEXT PRIMARY KEY REFERENCES answer (answer_id) ON DELETE CASCADE, rating INTEGER NOT NULL,
  comment TEXT NOT NULL, submitted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER turn_added AFTER INSERT ON answer WHEN new.session_id IS NOT NULL BEGIN UPDATE session
  SET turn_count = turn_count + 1, updated_at = max(updated_at, new.asked_at) WHERE id = new.session_id; END;
`,
];
