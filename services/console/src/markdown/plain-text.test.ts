import { expect, test } from 'vitest';
import { plainText } from './plain-text.ts';

test.each([
  ['# Returns\n\nYou have **30 days**.', 'Returns You have 30 days.'],
  ['- one\n- `two`\n- [three](https://example.com)', 'one · two · three'],
  ['| a | b |\n| - | - |\n| 1 | 2 |', 'a b · 1 2'],
  ['> quoted\n> twice\n\n---\n\nend', 'quoted twice end'],
  ['```\nlet x = 1;\n```', 'let x = 1;'],
  ['2 * 3 < 7 # not a heading [1]', '2 * 3 < 7 # not a heading [1]'],
  ['### 退货\n\n七天内**无理由**退货', '退货 七天内无理由退货'],
])('%j has the words %j', (source, text) => {
  expect(plainText(source)).toBe(text);
});
