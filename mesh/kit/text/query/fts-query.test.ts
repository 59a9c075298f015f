import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenize } from '../tokenize.ts';
import { FTS5_TOKENIZE, toFtsQuery } from './fts-query.ts';

function openIndex(texts: readonly string[]): DatabaseSync {
  const database = new DatabaseSync(':memory:');
  database.exec(`CREATE VIRTUAL TABLE chunk_text USING fts5(body, tokenize="${FTS5_TOKENIZE}");
    CREATE VIRTUAL TABLE vocabulary USING fts5vocab(chunk_text, 'row')`);
  const insert = database.prepare('INSERT INTO chunk_text(rowid, body) VALUES (?, ?)');
  for (const [position, text] of texts.entries()) insert.run(position + 1, tokenize(text, { mode: 'index' }).join(' '));
  return database;
}

function find(database: DatabaseSync, text: string): unknown[] {
  const match = toFtsQuery(tokenize(text, { mode: 'query' }));
  return database
    .prepare('SELECT rowid FROM chunk_text WHERE chunk_text MATCH ? ORDER BY rank')
    .all(match)
    .map((row) => row.rowid);
}

describe('toFtsQuery', () => {
  const texts = ['支持7天无理由退货', 'Model PPR-9087, version v2.1.3 and C++', '我要退钱吗', 'naïve café 50%'];
  const cases: [string, number[]][] = [
    ['退货', [1]],
    ['ppr9087', [2]],
    ['2.1.3', [2]],
    ['c++', [2]],
    ['CAFE', [4]],
    ['50%', [4]],
    ['钱', [3]],
    ['', []],
    ['NEAR(退货 body:* "', [1]],
    ['body : version NOT AND ^', [2]],
  ];

  it.each(cases)('finds %j in rows %j', (text, rows) => {
    expect(find(openIndex(texts), text)).toEqual(rows);
  });

  it('lets FTS5 see exactly our tokens, for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.lorem()), (text) => {
        const database = openIndex([text]);
        const terms = database
          .prepare('SELECT term FROM vocabulary')
          .all()
          .map((row) => row.term);
        expect(new Set(terms)).toEqual(new Set(tokenize(text, { mode: 'index' })));
        database.close();
      }),
    );
  });

  it('never fails on a query, whatever the user wrote', () => {
    const database = openIndex(texts);
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void find(database, text)));
  });
});
