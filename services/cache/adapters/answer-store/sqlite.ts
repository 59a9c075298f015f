import { type ExpressionBuilder, type Insertable, type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createInsert } from '#kit/storage/insert-rows.ts';
import { scrubDatabase } from '#kit/storage/scrub.ts';
import {
  type AnswerStore,
  type AnswerStoreDeps,
  type InvalidateTarget,
  type StoredAnswer,
  sizeOf,
} from '../../answers/answer-store.ts';

/** Answers in an embedded SQLite database: they outlive the process. */
export const adapter = defineAdapter({
  settings: {},
  create: (_settings, deps: AnswerStoreDeps) => createSqliteStore(deps),
});

interface Schema {
  answer: AnswerTable;
  answer_label: { tenant: string; label: string; key: string };
  answer_usage: { tenant: string; entry_count: number; size_bytes: number };
}

interface AnswerTable {
  key: string;
  tenant: string;
  value: Uint8Array;
  scope: Uint8Array;
  size_bytes: number;
  stored_at: number;
  stale_at: number;
  expires_at: number;
  /** Number of the last use: greater is later. */
  last_use: number;
}

// Triggers keep the sums exact in every transaction, so that a bound or a statistic never needs a scan.
const tables = `CREATE TABLE answer (
  key TEXT PRIMARY KEY, tenant TEXT NOT NULL, value BLOB NOT NULL, scope BLOB NOT NULL, size_bytes INTEGER NOT NULL,
  stored_at INTEGER NOT NULL, stale_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, last_use INTEGER NOT NULL
) STRICT;
CREATE INDEX answer_by_last_use ON answer (last_use);
CREATE INDEX answer_by_expiry ON answer (expires_at);
CREATE INDEX answer_by_tenant ON answer (tenant);
CREATE TABLE answer_label (
  tenant TEXT NOT NULL, label TEXT NOT NULL,
  key TEXT NOT NULL REFERENCES answer (key) ON DELETE CASCADE,
  PRIMARY KEY (tenant, label, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_label_by_key ON answer_label (key);
CREATE TABLE answer_usage (
  tenant TEXT PRIMARY KEY, entry_count INTEGER NOT NULL, size_bytes INTEGER NOT NULL
) STRICT;
CREATE TRIGGER answer_added AFTER INSERT ON answer BEGIN INSERT INTO answer_usage VALUES (new.tenant, 1, new.size_bytes)
  ON CONFLICT DO UPDATE SET entry_count = entry_count + 1, size_bytes = size_bytes + excluded.size_bytes; END;
CREATE TRIGGER answer_removed AFTER DELETE ON answer BEGIN UPDATE answer_usage
  SET entry_count = entry_count - 1, size_bytes = size_bytes - old.size_bytes WHERE tenant = old.tenant; END;
`;

// Version 1 was another layout. What it kept is not worth its conversion: it is made again when it is asked for.
const dropped = ['answer_label', 'answer_usage', 'answer'].map((table) => `DROP TABLE IF EXISTS ${table};`).join('\n');

const migrations = ['SELECT 1;', `${dropped}\n${tables}`];

/** Uses that are noted in memory before they are written; a crash forgets at most these. */
const maxUnwrittenUses = 256;
/** Answers that one put looks at to make room, and how often it looks. */
const roomBatch = 256;
const maxRoomRounds = 64;

async function createSqliteStore({ maxBytes, clock, openDatabase }: AnswerStoreDeps): Promise<AnswerStore> {
  const database = await openDatabase<Schema>('answers', { sqlite: migrations, isDisposable: true });
  const known = await loadKnown(database);
  const evictions = new Map<string, number>();
  const uses = new Map<string, number>();
  let lastUse = await latestUse(database);

  const forget = (keys: readonly string[]) => {
    for (const key of keys) {
      known.delete(shortKey(key));
      uses.delete(key);
    }
  };

  return {
    async get(tenant, key) {
      if (!known.has(shortKey(key))) return undefined;
      const row = await database
        .selectFrom('answer')
        .selectAll()
        .where('key', '=', key)
        .where('tenant', '=', tenant)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      if (row.expires_at <= clock()) {
        await database.deleteFrom('answer').where('key', '=', key).where('expires_at', '=', row.expires_at).execute();
        forget([key]);
        return undefined;
      }
      uses.set(key, ++lastUse);
      if (uses.size >= maxUnwrittenUses) await writeUses(database, uses);
      return toAnswer(row, await labelsOf(database, key));
    },
    async put(answer) {
      const sizeBytes = sizeOf(answer);
      await database.transaction().execute(async (transaction) => {
        await writeUses(transaction, uses);
        await transaction.deleteFrom('answer').where('key', '=', answer.key).execute();
        forget([answer.key]);
        if (sizeBytes > maxBytes) return;
        for (const { key, tenant, isExpired } of await makeRoom(transaction, maxBytes - sizeBytes, clock())) {
          forget([key]);
          if (!isExpired) evictions.set(tenant, (evictions.get(tenant) ?? 0) + 1);
        }
        await insertAnswers(transaction, [toRow(answer, sizeBytes, ++lastUse)]);
        const { tenant, key } = answer;
        await insertLabels(
          transaction,
          answer.labels.map((label) => ({ tenant, label, key })),
        );
        known.add(shortKey(answer.key));
      });
    },
    async invalidate(tenant, target) {
      const rows = await concerned(database, tenant, target).returning('key').execute();
      const keys = rows.map(({ key }) => key);
      forget(keys);
      // What is invalidated may be personal data: its bytes do not wait for the next checkpoint.
      if (keys.length > 0) await scrubDatabase(database);
      return keys;
    },
    async find(tenant, label, limit) {
      const rows = await database
        .selectFrom('answer')
        .selectAll()
        .where('expires_at', '>', clock())
        .where('key', 'in', (select) => labelled(select, tenant, label))
        .limit(limit)
        .execute();
      return Promise.all(rows.map(async (row) => toAnswer(row, await labelsOf(database, row.key))));
    },
    async usage(tenant) {
      const row = await database.selectFrom('answer_usage').selectAll().where('tenant', '=', tenant).executeTakeFirst();
      return {
        entryCount: row?.entry_count ?? 0,
        sizeBytes: row?.size_bytes ?? 0,
        evictionCount: evictions.get(tenant) ?? 0,
      };
    },
    close: () => writeUses(database, uses),
  };
}

// Most look-ups find nothing, and this process alone writes the file. So it remembers which keys are there (48 bits of
// each), and a miss costs no trip to the database. A wrong yes costs that trip, a wrong no a miss; neither a wrong answer.
const shortKey = (key: string): number => Number.parseInt(key.slice(0, 12), 16);

async function loadKnown(database: Kysely<Schema>): Promise<Set<number>> {
  const known = new Set<number>();
  for (let after = ''; ; ) {
    const page = await database
      .selectFrom('answer')
      .select('key')
      .where('key', '>', after)
      .orderBy('key')
      .limit(10_000)
      .execute();
    for (const { key } of page) known.add(shortKey(key));
    const last = page.at(-1);
    if (last === undefined) return known;
    after = last.key;
  }
}

async function latestUse(database: Kysely<Schema>): Promise<number> {
  const row = await database
    .selectFrom('answer')
    .select(({ fn }) => fn.max('last_use').as('last_use'))
    .executeTakeFirst();
  return row?.last_use ?? 0;
}

async function writeUses(database: Kysely<Schema>, uses: Map<string, number>): Promise<void> {
  if (uses.size === 0) return;
  const written = JSON.stringify(Object.fromEntries(uses));
  uses.clear();
  await sql`UPDATE answer SET last_use = used.value FROM json_each(${written}) AS used WHERE answer.key = used.key`.execute(
    database,
  );
}

/** Removes expired answers, then the least recently used ones, until at most `maxBytes` are left. */
async function makeRoom(
  transaction: Transaction<Schema>,
  maxBytes: number,
  nowMs: number,
): Promise<{ key: string; tenant: string; isExpired: boolean }[]> {
  const removed: { key: string; tenant: string; isExpired: boolean }[] = [];
  for (let round = 0; round < maxRoomRounds; round++) {
    const { total } = await transaction
      .selectFrom('answer_usage')
      .select(({ fn }) => fn.coalesce(fn.sum<number>('size_bytes'), sql<number>`0`).as('total'))
      .executeTakeFirstOrThrow();
    let excessBytes = total - maxBytes;
    if (excessBytes <= 0) break;
    const candidates = transaction.selectFrom('answer').select(['key', 'tenant', 'size_bytes']).limit(roomBatch);
    const expired = await candidates.where('expires_at', '<=', nowMs).orderBy('expires_at').execute();
    const isExpired = expired.length > 0;
    const oldest = isExpired ? expired : await candidates.orderBy('last_use').execute();
    const keys: string[] = [];
    for (const { key, tenant, size_bytes } of oldest) {
      if (excessBytes <= 0) break;
      excessBytes -= size_bytes;
      keys.push(key);
      removed.push({ key, tenant, isExpired });
    }
    if (keys.length === 0) break;
    await transaction.deleteFrom('answer').where('key', 'in', keys).execute();
  }
  return removed;
}

const insertAnswers = createInsert((db: Kysely<Schema>, row: Insertable<AnswerTable>) =>
  db.insertInto('answer').values(row),
);

const insertLabels = createInsert((db: Kysely<Schema>, row: Schema['answer_label']) =>
  db.insertInto('answer_label').values(row),
);

function labelled(select: ExpressionBuilder<Schema, 'answer'>, tenant: string, label: string) {
  return select
    .selectFrom('answer_label')
    .select('answer_label.key')
    .where('answer_label.tenant', '=', tenant)
    .where('label', '=', label);
}

function concerned(database: Kysely<Schema>, tenant: string, target: InvalidateTarget) {
  const all = database.deleteFrom('answer').where('tenant', '=', tenant);
  switch (target.kind) {
    case 'all':
      return all;
    case 'label':
      return all.where('key', 'in', (select) => labelled(select, tenant, target.label));
    case 'before':
      return all.where('stored_at', '<', target.storedBeforeMs);
    case 'entry':
      return all.where('key', '=', target.key);
    default:
      return target satisfies never;
  }
}

async function labelsOf(database: Kysely<Schema>, key: string): Promise<string[]> {
  const rows = await database.selectFrom('answer_label').select('label').where('key', '=', key).execute();
  return rows.map(({ label }) => label);
}

function toRow(answer: StoredAnswer, sizeBytes: number, lastUse: number): Insertable<AnswerTable> {
  return {
    key: answer.key,
    tenant: answer.tenant,
    value: answer.value,
    scope: answer.scope,
    size_bytes: sizeBytes,
    stored_at: answer.storedAtMs,
    stale_at: answer.staleAtMs,
    expires_at: answer.expiresAtMs,
    last_use: lastUse,
  };
}

function toAnswer(row: Selectable<AnswerTable>, labels: string[]): StoredAnswer {
  return {
    tenant: row.tenant,
    key: row.key,
    value: row.value,
    scope: row.scope,
    storedAtMs: row.stored_at,
    staleAtMs: row.stale_at,
    expiresAtMs: row.expires_at,
    labels,
  };
}
