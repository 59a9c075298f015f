import { LRUCache } from 'lru-cache';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Statement } from '#kit/storage/sqlite/protocol.ts';
import { FTS5_TOKENIZE, isPrefixWord, toFtsQuery } from '#kit/text/query/fts-query.ts';
import { type QueryWord, weighWords } from '#kit/text/query/query-words.ts';
import { createSnapshots } from '../../snapshots/snapshots.ts';
import {
  changeStatements,
  countStatement,
  keysStatement,
  oneOf,
  type RowIndex,
  rowSchema,
  scopeCondition,
} from '../../sqlite/rows.ts';
import { createTenantFiles } from '../../sqlite/tenant-files.ts';
import type { Hit, Scope } from '../../stores/index-row.ts';
import type { KeywordRow, KeywordStore } from '../../stores/keyword-store.ts';
import { planWords } from '../../stores/remote/query-plan.ts';
import { createTokenizer } from '../../stores/tokenizer.ts';
import type { StoreDeps } from '../../stores/vector-store.ts';

// BM25 by SQLite FTS5 over our own tokens. The table holds no text, only postings: the catalog has the text.

/**
 * Different words of a question that are looked up before the telling ones are chosen: all, up to the contract's
 * longest.
 */
const maxLookedUp = 4096;

/** Share of a tenant's rows that may change before word frequencies are read again; they only choose words. */
const maxDrift = 0.1;

/** Pages that a step of tidying may write, so that other writers get their turn. */
const mergePages = 500;

/** Share of a tenant's rows that must have changed before the whole index is merged into one segment again. */
const maxUnmerged = 0.2;

/** A row with its words joined by spaces. */
interface TokenRow extends KeywordRow {
  tokens: string;
}

/** What is known of a tenant's words. */
interface Vocabulary {
  /** Part of the keys under which frequencies are remembered. */
  generation: number;
  rowCount: number | undefined;
  changedCount: number;
}

export const adapter = defineAdapter<KeywordStore, StoreDeps, Record<string, never>>({
  settings: {},
  create(_settings, { folder, threads, snapshots = createSnapshots(0) }) {
    const files = createTenantFiles({
      folder,
      name: 'keyword store',
      threads,
      migrations: [
        `${rowSchema}
CREATE VIRTUAL TABLE chunk_text USING fts5(tokens, content='', contentless_delete=1, tokenize="${FTS5_TOKENIZE}");
CREATE VIRTUAL TABLE word USING fts5vocab(chunk_text, 'row');
`,
      ],
    });
    const tokenizer = createTokenizer();
    const vocabularies = new LRUCache<string, Vocabulary>({ max: 1000 });
    const frequencies = new LRUCache<string, number>({ max: 200_000 });
    // Rows changed since the index was last one segment, by tenant.
    const unmerged = new LRUCache<string, number>({ max: 1000 });
    let lastGeneration = 0;

    const vocabularyOf = (tenant: string): Vocabulary => {
      let vocabulary = vocabularies.get(tenant);
      if (vocabulary === undefined) {
        vocabulary = { generation: ++lastGeneration, rowCount: undefined, changedCount: 0 };
        vocabularies.set(tenant, vocabulary);
      }
      return vocabulary;
    };
    const noteChange = (tenant: string, changedCount: number) => {
      unmerged.set(tenant, (unmerged.get(tenant) ?? 0) + changedCount);
      const vocabulary = vocabularyOf(tenant);
      vocabulary.changedCount += changedCount;
      if (vocabulary.changedCount > (vocabulary.rowCount ?? 0) * maxDrift) vocabularies.delete(tenant);
    };
    const planFor = async (tenant: string, words: readonly string[], signal: AbortSignal): Promise<string[]> => {
      const vocabulary = vocabularyOf(tenant);
      const lookedUp = [...new Set(words)].slice(0, maxLookedUp);
      const keyOf = (word: string) => `${vocabulary.generation} ${word}`;
      const missing = lookedUp.filter((word) => !frequencies.has(keyOf(word)));
      const known = new Map<string, number>();
      await Promise.all([
        (async () => {
          if (vocabulary.rowCount !== undefined) return;
          const [row] = await files.read(tenant, { sql: 'SELECT count(*) AS count FROM chunk', params: [] }, signal);
          vocabulary.rowCount = Number(row?.count ?? 0);
        })(),
        (async () => {
          if (missing.length === 0) return;
          const sql = `SELECT term, doc FROM word WHERE ${oneOf('term')}`;
          // A word that no row has yet is not remembered: the next write may bring it.
          for (const { term, doc } of await files.read(tenant, { sql, params: [JSON.stringify(missing)] }, signal)) {
            known.set(term as string, doc as number);
            frequencies.set(keyOf(term as string), doc as number);
          }
        })(),
      ]);
      for (const word of lookedUp) {
        const frequency = known.get(word) ?? frequencies.get(keyOf(word));
        if (frequency !== undefined) known.set(word, frequency);
      }
      return planWords(words, (word) => known.get(word) ?? 0, vocabulary.rowCount ?? 0);
    };

    return {
      async apply(tenant, corpusId, change) {
        if (change.kind !== 'replace') {
          const statements = changeStatements(corpusId, change, keywordIndex);
          const results = await snapshots.during(tenant, corpusId, change, () => files.write(tenant, statements));
          noteChange(
            tenant,
            results.reduce((sum, { changes }) => sum + changes, 0),
          );
          return;
        }
        const tokens = await tokenizer.tokenizeAll(change.rows.map(({ title, text }) => `${title}\n${text}`));
        const rows = change.rows.map((row, index): TokenRow => ({ ...row, tokens: tokens[index] as string }));
        const statements = changeStatements(corpusId, { ...change, rows }, keywordIndex);
        await snapshots.during(tenant, corpusId, change, () => files.write(tenant, statements));
        noteChange(tenant, rows.length);
      },
      async search(tenant, { text, words = weighWords(text), scope, limit }, signal) {
        if (words.length === 0 || scope.corpora.length === 0) return [];
        const inMemory = searchInMemory(tenant, words, scope, limit, signal);
        if (inMemory !== undefined) return inMemory;
        // A word alone may be a single Han character, which is searched as the beginning of words.
        const planned =
          words.length === 1 ? words.map(({ word }) => word) : await planFor(tenant, repeatWords(words), signal);
        if (planned.length === 0) return [];
        const rows = await files.read(tenant, searchStatement(planned, scope, limit), signal);
        return rows.map(
          (row): Hit => ({
            key: row.key as number,
            chunkId: row.chunk_id as string,
            documentId: row.document_id as string,
            score: row.score as number,
          }),
        );
      },
      async count(tenant, corpusId, version, signal) {
        const [row] = await files.read(tenant, countStatement(corpusId, version), signal);
        return Number(row?.count ?? 0);
      },
      async listKeys(tenant, corpusId, after, limit, signal) {
        const rows = await files.read(tenant, keysStatement(corpusId, after, limit), signal);
        return rows.map(({ id }) => id as number);
      },
      async settle(tenant, _corpusId, signal) {
        // Fewer segments make every search faster. A negative number of pages takes all segments on, whatever their
        // size; a positive one only those of which there are too many.
        const [row] = await files.read(tenant, { sql: 'SELECT count(*) AS count FROM chunk', params: [] }, signal);
        const isWhole = (unmerged.get(tenant) ?? 0) > Number(row?.count ?? 0) * maxUnmerged;
        if (isWhole) unmerged.set(tenant, 0);
        let pages = isWhole ? -mergePages : mergePages;
        for (let before = -1, after = 1; after - before >= 2 && !signal.aborted; pages = mergePages) {
          const changes = 'SELECT total_changes() AS count';
          const results = await files.write(tenant, [
            { sql: changes, params: [] },
            { sql: "INSERT INTO chunk_text(chunk_text, rank) VALUES ('merge', ?)", params: [pages] },
            { sql: changes, params: [] },
          ]);
          before = Number(results[0]?.rows[0]?.count);
          after = Number(results[2]?.rows[0]?.count);
        }
      },
      async close() {
        await snapshots.close();
        await Promise.all([tokenizer.close(), files.close()]);
      },
    };

    // A word that may be the beginning of others is looked for where words are in order.
    function searchInMemory(
      tenant: string,
      words: readonly QueryWord[],
      scope: Scope,
      limit: number,
      signal: AbortSignal,
    ) {
      if (scope.filter !== undefined || (words.length === 1 && isPrefixWord((words[0] as QueryWord).word)))
        return undefined;
      const wanted = scope.corpora.map(({ corpusId, version }) => ({
        tenant,
        space: '',
        source: { path: files.path(tenant), extensions: [], corpusId, version, vectors: undefined },
      }));
      if (!files.has(tenant)) return undefined;
      return snapshots.search(
        wanted,
        {
          kind: 'words',
          words: words.slice(0, maxLookedUp),
          aclIds: scope.aclIds,
          limit,
        },
        signal,
      );
    }
  },
});

/** Each word as often as it counts, at least once: FTS5 knows no other weights. */
function repeatWords(words: readonly QueryWord[]): string[] {
  return words.flatMap(({ word, weight }) => Array<string>(Math.max(1, Math.floor(weight))).fill(word));
}

const keywordIndex: RowIndex<TokenRow> = {
  insert: ({ key, tokens }) => [{ sql: 'INSERT INTO chunk_text(rowid, tokens) VALUES (?, ?)', params: [key, tokens] }],
  remove: (select) => [{ sql: `DELETE FROM chunk_text WHERE rowid IN (${select.sql})`, params: select.params }],
  // Versions and access lists are columns of the rows alone.
  setRemovedIn: () => [],
  setAclId: () => [],
};

function searchStatement(words: readonly string[], scope: Scope, limit: number): Statement {
  const condition = scopeCondition(scope, 'chunk');
  // CROSS JOIN: from the words to their rows, never from the rows.
  return {
    sql: `SELECT key, chunk_id, document_id, score FROM (
        SELECT chunk.id AS key, -found.rank AS score FROM chunk_text AS found CROSS JOIN chunk ON chunk.id = found.rowid
        WHERE chunk_text MATCH ? AND ${condition.sql} ORDER BY found.rank, chunk.id LIMIT ?
      ) CROSS JOIN chunk ON chunk.id = key ORDER BY score DESC, key`,
    params: [toFtsQuery(words), ...condition.params, limit],
  };
}
