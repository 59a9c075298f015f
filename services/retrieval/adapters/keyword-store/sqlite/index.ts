import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Row, Statement } from '#kit/storage/sqlite/protocol.ts';
import { FTS5_TOKENIZE, isPrefixWord, toFtsQuery } from '#kit/text/query/fts-query.ts';
import { type QueryWord, weighWords } from '#kit/text/query/query-words.ts';
import type { SnapshotTarget } from '../../../snapshots/registry.ts';
import { createSnapshots, type Snapshots } from '../../../snapshots/snapshots.ts';
import type { EmbeddedStoreDeps } from '../../../sqlite/embedded-store.ts';
import { createImageRecords, lateWordsInsert, lateWordsSchema } from '../../../sqlite/image-records.ts';
import {
  changeStatements,
  countStatement,
  keysStatement,
  type RowIndex,
  scopeCondition,
  storeMigrations,
} from '../../../sqlite/rows.ts';
import { createTenantFiles, type TenantFiles } from '../../../sqlite/tenant-files.ts';
import type { Hit, SearchScope } from '../../../stores/index-row.ts';
import type { KeywordRow, KeywordStore } from '../../../stores/keyword-store.ts';
import { createTokenizer } from '../../../stores/tokenizer.ts';
import { createSegments } from './segments.ts';
import { createWordFrequencies } from './word-frequencies.ts';

// BM25 by SQLite FTS5 over our own tokens. The table holds no text, only postings: the catalog has the text.

const schema = `
CREATE VIRTUAL TABLE chunk_text USING fts5(tokens, content='', contentless_delete=1, tokenize="${FTS5_TOKENIZE}");
CREATE VIRTUAL TABLE word USING fts5vocab(chunk_text, 'row');
`;

/** Most words of a question that are searched in memory: all, up to the contract's longest question. */
const maxWords = 4096;

/** A row with its words joined by spaces. */
interface TokenRow extends KeywordRow {
  tokens: string;
}

export const adapter = defineAdapter<KeywordStore, EmbeddedStoreDeps, Record<string, never>>({
  settings: {},
  create(_settings, { folder, threads, clock, snapshots = createSnapshots(0) }) {
    const migrations = storeMigrations(schema, lateWordsSchema);
    const files = createTenantFiles({ folder, name: 'keyword store', threads, migrations });
    const tokenizer = createTokenizer();
    const frequencies = createWordFrequencies(files);
    const segments = createSegments(files);
    const targetOf = (tenant: string, corpusId: number): SnapshotTarget => ({
      tenant,
      space: '',
      source: { path: files.path(tenant), extensions: [], corpusId, vectors: undefined },
    });
    snapshots.start(targetsOf(), createImageRecords(files, true), ({ tenant }) => {
      if (clock !== undefined) void files.noteUse(tenant, clock());
    });
    async function* targetsOf() {
      for (const tenant of await files.list()) {
        for (const corpusId of await listCorpora(files, tenant)) yield targetOf(tenant, corpusId);
      }
    }
    const noteChange = (tenant: string, changedCount: number) => {
      segments.noteChange(tenant, changedCount);
      frequencies.noteChange(tenant, changedCount);
    };

    return {
      async apply(tenant, corpusId, change) {
        if (change.kind !== 'replace') {
          const statements = changeStatements(corpusId, change, keywordIndex);
          const write = () => files.write(tenant, statements);
          const results = await snapshots.during(tenant, corpusId, change, undefined, write);
          const changedCount = results.reduce((sum, { changes }) => sum + changes, 0);
          return noteChange(tenant, changedCount);
        }
        const tokens = await tokenizer.tokenizeAll(change.rows.map(({ title, text }) => `${title}\n${text}`));
        const rows = change.rows.map((row, index): TokenRow => ({ ...row, tokens: tokens[index] as string }));
        const statements = changeStatements(corpusId, { ...change, rows }, keywordIndex);
        const added = { space: '', dimensions: undefined, rows };
        await snapshots.during(tenant, corpusId, change, added, () => files.write(tenant, statements));
        noteChange(tenant, rows.length);
      },
      async search(tenant, { text, words = weighWords(text), scope, limit }, signal) {
        if (words.length === 0 || scope.corpora.length === 0) return [];
        const inMemory = files.has(tenant)
          ? searchInMemory(snapshots, (corpusId) => targetOf(tenant, corpusId), { words, scope, limit }, signal)
          : undefined;
        if (inMemory !== undefined) return inMemory;
        // A single word may be one Han character, which is searched as a prefix.
        const planned =
          words.length === 1
            ? words.map(({ word }) => word)
            : await frequencies.plan(tenant, repeatWords(words), signal);
        if (planned.length === 0) return [];
        return (await files.read(tenant, searchStatement(planned, scope, limit), signal)).map(toHit);
      },
      async count(tenant, corpusId, version, signal) {
        const [row] = await files.read(tenant, countStatement(corpusId, version), signal);
        return Number(row?.count ?? 0);
      },
      async listKeys(tenant, corpusId, after, limit, signal) {
        const rows = await files.read(tenant, keysStatement(corpusId, after, limit), signal);
        return rows.map(({ id }) => id as number);
      },
      maintain: (tenant, _corpusId, signal) => segments.merge(tenant, signal),
      // Postings of deleted rows stay in their segments until these are merged.
      async scrub(tenant) {
        if (files.has(tenant)) await snapshots.dropImages(tenant);
        await files.scrub(tenant, [{ sql: `INSERT INTO chunk_text(chunk_text) VALUES ('optimize')`, params: [] }]);
      },
      async prepare(tenant, corpusId, signal) {
        if (files.has(tenant)) await snapshots.prepare([targetOf(tenant, corpusId)], signal);
      },
      async close() {
        await snapshots.close();
        await Promise.all([tokenizer.close(), files.close()]);
      },
    };
  },
});

// A prefix is searched in the files, because they have the words in order.
function searchInMemory(
  snapshots: Snapshots,
  targetOf: (corpusId: number) => SnapshotTarget,
  { words, scope, limit }: { words: readonly QueryWord[]; scope: SearchScope; limit: number },
  signal: AbortSignal,
): Promise<Hit[]> | undefined {
  if (words.length === 1 && isPrefixWord((words[0] as QueryWord).word)) return undefined;
  const wanted = scope.corpora.map(({ corpusId, version }) => ({ target: targetOf(corpusId), version }));
  const { aclIds, filter } = scope;
  const query = { kind: 'words', words: words.slice(0, maxWords), aclIds, filter, limit } as const;
  return snapshots.search(wanted, query, signal);
}

async function listCorpora(files: TenantFiles, tenant: string): Promise<number[]> {
  const statement = { sql: 'SELECT DISTINCT corpus_id FROM chunk', params: [] };
  const rows = await files.read(tenant, statement, new AbortController().signal);
  return rows.map((row) => row.corpus_id as number);
}

function toHit(row: Row): Hit {
  return {
    key: row.key as number,
    chunkId: row.chunk_id as string,
    documentId: row.document_id as string,
    score: row.score as number,
  };
}

/** Returns each word as often as its weight says, at least once: FTS5 has no other weights. */
function repeatWords(words: readonly QueryWord[]): string[] {
  return words.flatMap(({ word, weight }) => Array<string>(Math.max(1, Math.floor(weight))).fill(word));
}

const keywordIndex: RowIndex<TokenRow> = {
  insert: ({ key, tokens }) => [
    { sql: 'INSERT INTO chunk_text(rowid, tokens) VALUES (?, ?)', params: [key, tokens] },
    { sql: lateWordsInsert, params: [tokens, key] },
  ],
  remove: (select) => [{ sql: `DELETE FROM chunk_text WHERE rowid IN (${select.sql})`, params: select.params }],
  // Versions and access lists are columns of the rows only.
  setRemovedIn: () => [],
  setAclId: () => [],
};

function searchStatement(words: readonly string[], scope: SearchScope, limit: number): Statement {
  const condition = scopeCondition(scope, 'chunk');
  // CROSS JOIN makes SQLite go from the words to their rows, never from the rows.
  return {
    sql: `SELECT key, chunk_id, document_id, score FROM (
        SELECT chunk.id AS key, -found.rank AS score FROM chunk_text AS found CROSS JOIN chunk ON chunk.id = found.rowid
        WHERE chunk_text MATCH ? AND ${condition.sql} ORDER BY found.rank, chunk.id LIMIT ?
      ) CROSS JOIN chunk ON chunk.id = key ORDER BY score DESC, key`,
    params: [toFtsQuery(words), ...condition.params, limit],
  };
}
