import { expect, test } from 'vitest';
import { createTextBuilder } from '../parse/blocks.ts';
import { prepareDocument } from './prepare-document.ts';

/** Prepares a document of one sentence with an address. */
function urlAfter(url: string): string | undefined {
  const builder = createTextBuilder();
  builder.add('paragraph', 'Returns are free within 15 days.');
  const parsed = {
    ...builder.finish(),
    ...{ documentId: 'a.md', isPlaced: false, line: 0, title: 'Returns', url, language: 'en' },
    ...{ groups: undefined, attributes: {}, updatedAtMs: undefined },
  };
  const file = { path: 'a.md', fileIndex: 0, groups: [], attributes: {} };
  return prepareDocument(parsed, file, {
    model: 'hashing',
    dimensions: 8,
    targetTokens: 320,
    overlapTokens: 0,
  } as never)[0]?.url;
}

test.each(['https://shop.example/returns', 'http://帮助.example/退货?x=1#y', 'HTTPS://shop.example'])(
  'an address of the web stays: %s',
  (url) => {
    expect(urlAfter(url)).toBe(url);
  },
);

test.each([
  'javascript:alert(1)',
  ' javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'java\tscript:alert(1)',
  'vbscript:x',
  'data:text/html,<script>alert(1)</script>',
  'file:///etc/passwd',
  '//evil.example/x',
  '\\\\evil.example\\x',
  'https:evil.example',
  '/returns',
  'returns.html',
  `https://shop.example/${'x'.repeat(2048)}`,
])('any other is left out, because pages make links of it: %s', (url) => {
  expect(urlAfter(url)).toBe('');
});
