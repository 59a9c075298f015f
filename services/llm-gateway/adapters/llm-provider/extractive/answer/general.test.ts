import { expect, test } from 'vitest';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { answerByQuoting } from './answer.ts';

// Short questions whose most similar sentence is about a more special case.

const answerTo = (question: string, ...passages: Parameters<typeof passagesOf>) => {
  const { isRefusal, pieces } = answerByQuoting(question, passagesOf(...passages));
  return isRefusal ? 'refused' : pieces.join('');
};

const exchanged = {
  title: '换货须知',
  headingPath: ['换来的雨伞保修多久'],
  text: '## 换来的雨伞保修多久\n\n沿用原来的保修期，不足 30 天的按 30 天计算。',
};
const terms = {
  title: '保修期限',
  text: '## 保修期限\n\n| 品类 | 期限 |\n|---|---|\n| 雨伞 | 14 个月 |\n| 手套 | 5 个月 |',
};

test('the warranty is that of all goods, in the whole table, not that of exchanged ones', () => {
  const text = answerTo('保修多久', exchanged, terms);
  expect(text).toContain('14 个月');
  expect(text).toContain('5 个月');
  expect(text).not.toContain('30 天');
});

test('a question that names the special case gets it', () => {
  expect(answerTo('换来的雨伞保修多久', exchanged, terms)).toContain('30 天');
});

test('a word that only the sentence has is the detail that is asked for', () => {
  const page = {
    title: 'Umbrellas',
    text: '## Umbrellas\n\nWe sell four models.\n\n## Umbrellas in a storm\n\nA storm bends the ribs; the handle stays.',
  };
  expect(answerTo('Do umbrellas have a handle?', page)).toContain('the handle stays');
});
