import type { Generated } from 'kysely';
import type { HandoverReason, HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { Migrations } from '#kit/storage/database.ts';

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
    /** A `ragmesh.chat.v1.Turn` with citations and outcome only. */
    citations: Uint8Array;
  };
  /** In PostgreSQL: questions whose answers are in flight. */
  open_ask: {
    /** Place of the turn among the others of its session. */
    seq: Generated<number>;
    session_id: string;
    tenant: string;
    user: string;
    answer_id: string;
    question: string;
    /** The process that answers. */
    replica: string;
    opened_at: number;
    /** When its user wanted it stopped. */
    stopped_at: number | null;
  };
  /** How far the hand-over of a session to a person is. */
  handover: { session_id: string; state: HandoverState; reason: HandoverReason; changed_at: number };
  /** What the oldest turns of a session were about, up to the turn `until_seq`. */
  summary: { session_id: string; text: string; turn_count: number; until_seq: number };
  /** Calls of tools that wait for approval. */
  tool_proposal: {
    call_id: string;
    tenant: string;
    user: string;
    tool: string;
    arguments: string;
    question: string;
    expires_at: number;
  };
  /** Questions of the inbox that ask for the same thing. */
  inbox_topic: {
    tenant: string;
    id: string;
    /** The first one, and its user. */
    question: string;
    asked_by: string;
    state: number;
    /** Rows of `inbox_term`. */
    term_count: number;
    /** Also those that are no longer kept. */
    question_count: number;
    first_at: number;
    last_at: number;
    assignee: string;
    comment: string;
    curated_id: string;
    changed_by: string;
    changed_at: number | null;
  };
  /** What a topic is about. */
  inbox_term: { tenant: string; term: string; topic_id: string };
  /** The latest questions of the topics. */
  inbox_question: {
    tenant: string;
    answer_id: string;
    topic_id: string;
    user: string;
    question: string;
    reason: number;
    asked_at: number;
  };
  /** Versions of curated answers; rows are only added. */
  curated_answer: {
    tenant: string;
    id: string;
    version: number;
    corpus: string;
    /** A JSON list. */
    questions: string;
    answer: string;
    title: string;
    url: string;
    /** 1: this version withdraws the answer. */
    deleted: number;
    changed_by: string;
    changed_at: number;
  };
  /** Users whose sessions and feedback must stay; an empty user is all of the tenant. */
  legal_hold: { tenant: string; user: string };
  /** Feedback on answers; it outlives them. */
  rating: {
    answer_id: string;
    tenant: string;
    user: string;
    rating: number;
    /** Numbers of `ragmesh.chat.v1.FeedbackReason`, each between commas: ",1,3,"; empty without one. */
    reasons: string;
    comment: string;
    submitted_at: number;
    asked_at: number;
    /** As in `answer`. */
    citations: Uint8Array;
  };
}

// A trigger counts turns, so that a turn and its count are written together.
const sqlite: readonly string[] = [
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
  `CREATE TABLE handover (
  session_id TEXT PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE, state INTEGER NOT NULL, reason INTEGER NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
  `CREATE TABLE tool_proposal (
  call_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, user TEXT NOT NULL, tool TEXT NOT NULL, arguments TEXT NOT NULL,
  question TEXT NOT NULL, expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tool_proposal_by_age ON tool_proposal (expires_at);
`,
  `CREATE TABLE summary (
  session_id TEXT PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE, text TEXT NOT NULL, turn_count INTEGER NOT NULL,
  until_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
  `CREATE TABLE rating (
  answer_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, user TEXT NOT NULL, rating INTEGER NOT NULL, reasons TEXT NOT NULL,
  comment TEXT NOT NULL, submitted_at INTEGER NOT NULL, asked_at INTEGER NOT NULL, citations BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX rating_by_time ON rating (tenant, submitted_at, answer_id);
CREATE INDEX rating_by_age ON rating (submitted_at);
INSERT INTO rating SELECT answer_id, tenant, user, rating, '', comment, submitted_at, asked_at, citations
  FROM feedback JOIN answer USING (answer_id);
DROP TABLE feedback;
`,
  `CREATE TABLE curated_answer (
  tenant TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, corpus TEXT NOT NULL, questions TEXT NOT NULL,
  answer TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL, deleted INTEGER NOT NULL, changed_by TEXT NOT NULL,
  changed_at INTEGER NOT NULL, PRIMARY KEY (tenant, id, version)
) STRICT, WITHOUT ROWID;
`,
  `CREATE TABLE legal_hold (tenant TEXT NOT NULL, user TEXT NOT NULL, PRIMARY KEY (tenant, user)) STRICT, WITHOUT ROWID;
CREATE INDEX rating_by_user ON rating (tenant, user);
CREATE INDEX answer_by_user ON answer (tenant, user);
`,
  `CREATE TABLE inbox_topic (
  tenant TEXT NOT NULL, id TEXT NOT NULL, question TEXT NOT NULL, asked_by TEXT NOT NULL, state INTEGER NOT NULL,
  term_count INTEGER NOT NULL,
  question_count INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, assignee TEXT NOT NULL,
  comment TEXT NOT NULL, curated_id TEXT NOT NULL, changed_by TEXT NOT NULL, changed_at INTEGER,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_topic_by_time ON inbox_topic (tenant, state, last_at, id);
CREATE TABLE inbox_term (
  tenant TEXT NOT NULL, term TEXT NOT NULL, topic_id TEXT NOT NULL, PRIMARY KEY (tenant, term, topic_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_term_by_topic ON inbox_term (tenant, topic_id);
CREATE TABLE inbox_question (
  tenant TEXT NOT NULL, answer_id TEXT NOT NULL, topic_id TEXT NOT NULL, user TEXT NOT NULL, question TEXT NOT NULL,
  reason INTEGER NOT NULL, asked_at INTEGER NOT NULL, PRIMARY KEY (tenant, answer_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_question_by_topic ON inbox_question (tenant, topic_id, asked_at);
CREATE INDEX inbox_question_by_user ON inbox_question (tenant, user);
`,
  `CREATE INDEX session_by_time ON session (tenant, updated_at, id);
`,
];

const postgres: readonly string[] = [
  `CREATE TABLE session (
  id text COLLATE "C" PRIMARY KEY, tenant text NOT NULL COLLATE "C", "user" text NOT NULL COLLATE "C", title text NOT NULL,
  created_at bigint NOT NULL, updated_at bigint NOT NULL, turn_count bigint NOT NULL
);
CREATE INDEX session_by_owner ON session (tenant, "user", updated_at, id);
CREATE INDEX session_by_age ON session (updated_at);
CREATE SEQUENCE turn_seq;
CREATE TABLE answer (
  seq bigint NOT NULL DEFAULT nextval('turn_seq') PRIMARY KEY, answer_id text NOT NULL COLLATE "C" UNIQUE,
  session_id text COLLATE "C" REFERENCES session (id) ON DELETE CASCADE, tenant text NOT NULL COLLATE "C",
  "user" text NOT NULL COLLATE "C", question text NOT NULL, answer text NOT NULL, asked_at bigint NOT NULL,
  citations bytea NOT NULL
);
CREATE INDEX answer_by_session ON answer (session_id, seq);
CREATE INDEX answer_by_age ON answer (asked_at) WHERE session_id IS NULL;
CREATE TABLE feedback (
  answer_id text COLLATE "C" PRIMARY KEY REFERENCES answer (answer_id) ON DELETE CASCADE, rating bigint NOT NULL,
  comment text NOT NULL, submitted_at bigint NOT NULL
);
CREATE TABLE open_ask (
  answer_id text COLLATE "C" PRIMARY KEY, seq bigint NOT NULL DEFAULT nextval('turn_seq'),
  session_id text NOT NULL COLLATE "C" REFERENCES session (id) ON DELETE CASCADE, tenant text NOT NULL COLLATE "C",
  "user" text NOT NULL COLLATE "C", question text NOT NULL, replica text NOT NULL COLLATE "C", opened_at bigint NOT NULL
);
CREATE INDEX open_ask_by_session ON open_ask (session_id, seq);
CREATE INDEX open_ask_by_age ON open_ask (opened_at);
CREATE FUNCTION count_turn() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
  UPDATE session SET turn_count = turn_count + 1, updated_at = greatest(updated_at, new.asked_at)
    WHERE id = new.session_id;
  RETURN NULL;
END $$;
CREATE TRIGGER turn_added AFTER INSERT ON answer FOR EACH ROW WHEN (new.session_id IS NOT NULL)
  EXECUTE FUNCTION count_turn();
`,
  `CREATE TABLE handover (
  session_id text COLLATE "C" PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE, state bigint NOT NULL,
  reason bigint NOT NULL, changed_at bigint NOT NULL
);
`,
  `CREATE TABLE tool_proposal (
  call_id text COLLATE "C" PRIMARY KEY, tenant text NOT NULL COLLATE "C", "user" text NOT NULL COLLATE "C",
  tool text NOT NULL, arguments text NOT NULL, question text NOT NULL, expires_at bigint NOT NULL
);
CREATE INDEX tool_proposal_by_age ON tool_proposal (expires_at);
`,
  `CREATE TABLE summary (
  session_id text COLLATE "C" PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE, text text NOT NULL,
  turn_count bigint NOT NULL, until_seq bigint NOT NULL
);
`,
  `CREATE TABLE rating (
  answer_id text COLLATE "C" PRIMARY KEY, tenant text NOT NULL COLLATE "C", "user" text NOT NULL COLLATE "C",
  rating bigint NOT NULL, reasons text NOT NULL, comment text NOT NULL, submitted_at bigint NOT NULL,
  asked_at bigint NOT NULL, citations bytea NOT NULL
);
CREATE INDEX rating_by_time ON rating (tenant, submitted_at, answer_id);
CREATE INDEX rating_by_age ON rating (submitted_at);
INSERT INTO rating SELECT answer_id, tenant, "user", rating, '', comment, submitted_at, asked_at, citations
  FROM feedback JOIN answer USING (answer_id);
DROP TABLE feedback;
`,
  `CREATE TABLE curated_answer (
  tenant text NOT NULL COLLATE "C", id text NOT NULL COLLATE "C", version bigint NOT NULL, corpus text NOT NULL COLLATE "C",
  questions text NOT NULL, answer text NOT NULL, title text NOT NULL, url text NOT NULL, deleted bigint NOT NULL,
  changed_by text NOT NULL COLLATE "C", changed_at bigint NOT NULL, PRIMARY KEY (tenant, id, version)
);
`,
  `CREATE TABLE legal_hold (
  tenant text NOT NULL COLLATE "C", "user" text NOT NULL COLLATE "C", PRIMARY KEY (tenant, "user")
);
CREATE INDEX rating_by_user ON rating (tenant, "user");
CREATE INDEX answer_by_user ON answer (tenant, "user");
`,
  `CREATE TABLE inbox_topic (
  tenant text NOT NULL COLLATE "C", id text NOT NULL COLLATE "C", question text NOT NULL,
  asked_by text NOT NULL COLLATE "C", state bigint NOT NULL, term_count bigint NOT NULL, question_count bigint NOT NULL, first_at bigint NOT NULL, last_at bigint NOT NULL,
  assignee text NOT NULL COLLATE "C", comment text NOT NULL, curated_id text NOT NULL COLLATE "C",
  changed_by text NOT NULL COLLATE "C", changed_at bigint, PRIMARY KEY (tenant, id)
);
CREATE INDEX inbox_topic_by_time ON inbox_topic (tenant, state, last_at, id);
CREATE TABLE inbox_term (
  tenant text NOT NULL COLLATE "C", term text NOT NULL COLLATE "C", topic_id text NOT NULL COLLATE "C",
  PRIMARY KEY (tenant, term, topic_id)
);
CREATE INDEX inbox_term_by_topic ON inbox_term (tenant, topic_id);
CREATE TABLE inbox_question (
  tenant text NOT NULL COLLATE "C", answer_id text NOT NULL COLLATE "C", topic_id text NOT NULL COLLATE "C",
  "user" text NOT NULL COLLATE "C", question text NOT NULL, reason bigint NOT NULL, asked_at bigint NOT NULL,
  PRIMARY KEY (tenant, answer_id)
);
CREATE INDEX inbox_question_by_topic ON inbox_question (tenant, topic_id, asked_at);
CREATE INDEX inbox_question_by_user ON inbox_question (tenant, "user");
`,
  `CREATE INDEX session_by_time ON session (tenant, updated_at, id);
`,
  `ALTER TABLE open_ask ADD COLUMN stopped_at bigint;
CREATE INDEX open_ask_to_stop ON open_ask (replica) WHERE stopped_at IS NOT NULL;
`,
];

/** Schema changes of both engines. Times are milliseconds since 1970. */
export const sessionMigrations: Migrations = { sqlite, postgres };
