import { expect, test } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { toPlainText } from './plain-text.ts';

test.each([
  [
    'See [the policy](https://a.b/c?x=(1) "Policy") and ![a picture](p.png).',
    'See [the policy](a.b/c(1) "Policy") and .',
  ],
  ['See [the policy](https://a.b/c "Policy").', 'See the policy.'],
  ['Photos are at https://a.b/guide?ref=9#top, and at <http://c.d>.', 'Photos are at a.b/guide, and at c.d.'],
  ['**说明：** 状态为*清洗中*，__不可用__。', '说明： 状态为清洗中，不可用。'],
  ['snake_case_name and 2*3*4 stay', 'snake_case_name and 2*3*4 stay'],
  ['run `npm start` in ~~/tmp~~ \\*now\\*', 'run npm start in /tmp *now*'],
  ['<b>Free</b><br/>above &yen;99 &amp; up&nbsp;to &#8364;5 <!-- draft -->', 'Free above &yen;99 & up to €5'],
  ['a < b and c > d', 'a < b and c > d'],
  ['第一行\n第二行', '第一行第二行'],
  ['one line\nand another', 'one line and another'],
])('reads %j', (markup, plain) => {
  expect(toPlainText(markup)).toBe(plain);
});

test.each([
  '['.repeat(50_000),
  '*'.repeat(50_000),
  '**a '.repeat(20_000),
  '<a '.repeat(20_000),
  '![]('.repeat(20_000),
  '<!--'.repeat(20_000),
])('stays linear on a hostile text', (text) => {
  const started = threadCpuMs();
  toPlainText(text);
  expect(threadCpuMs() - started).toBeLessThan(1500);
});
