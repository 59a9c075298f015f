import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { TOKEN_LENGTH_MAX, tokenize } from './tokenize.ts';

const index = (text: string): string[] => tokenize(text, { mode: 'index' });
const query = (text: string): string[] => tokenize(text, { mode: 'query' });

describe('tokenize', () => {
  it.each([
    ['无理由退货', ['无理', '理由', '由退', '退货']],
    ['𠮷野家', ['𠮷野', '野家']],
    ['钱 and money', ['钱', 'monei']],
    ['The refunds were refunded', ['refund', 'refund']],
    ['iPhone15', ['iphone15', 'iphon', '15']],
    ['PPR-9087', ['ppr9087', 'ppr', '9087']],
    ['7天退', ['7', '7天', '天退']],
    ['v2.1.3', ['v2.1.3', '2.1.3']],
    ['E-07', ['e07', '07']],
    ['¥1,299.00', ['1299']],
    ['50% 折', ['50%', '50', '折']],
    ['2026/11/22', ['2026-11-22', '2026', '11', '22']],
    ['C++ C# café', ['c++', 'c#', 'cafe']],
    ['A.B@gmail.com', ['abgmailcom', 'gmail', 'com']],
    ["user's", ['user']],
  ])('splits %j', (text, expected) => {
    expect(index(text)).toEqual(expected);
  });

  it('finds a code however it is joined', () => {
    for (const form of ['PPR-9087', 'ppr_9087', 'PPR9087', 'ＰＰＲ－９０８７'])
      expect(index(form)).toContain('ppr9087');
  });

  it('distinguishes numbers that differ only in a joiner', () => {
    expect(index('2.13')).not.toEqual(index('21.3'));
    expect(index('10-15')[0]).not.toBe('1015');
  });

  it('finds a URL whole and by part', () => {
    expect(index('see https://shop.example.com/returns?id=9.')).toEqual(
      expect.arrayContaining(['httpsshopexamplecomreturnsid9', 'shop', 'return', '9']),
    );
  });

  it('leaves Chinese question words out of a query that says more', () => {
    expect(query('如何退货')).toEqual(['何退', '退货']);
    expect(query('什么')).toEqual(['什么']);
  });

  it('keeps repeats, which weigh more', () => {
    expect(query('card or card')).toEqual(['card', 'card']);
  });

  it('gives nothing for nothing', () => {
    expect(query(' ,。!\u200B')).toEqual([]);
  });

  it('gives only bounded tokens of letters, marks, digits and .-%+#, for any string', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.stringMatching(/^[a-z0-9.\-+#%天 @:/]{0,40}$/),
    );
    fc.assert(
      fc.property(text, (input) => {
        for (const token of index(input)) {
          expect(token).toMatch(/^[\p{L}\p{M}\p{N}.\-%+#]+$/u);
          expect(token.length).toBeLessThanOrEqual(TOKEN_LENGTH_MAX);
        }
        expect(index(input)).toEqual(expect.arrayContaining(query(input)));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    'a-'.repeat(50_000),
    '1,'.repeat(50_000),
    '退'.repeat(50_000),
    'a@'.repeat(50_000),
    '+'.repeat(100_000),
    'a+'.repeat(50_000),
    '1.'.repeat(50_000),
  ])('stays linear on a hostile text', (text) => {
    const started = threadCpuMs();
    index(text);
    expect(threadCpuMs() - started).toBeLessThan(1_500);
  });
});
