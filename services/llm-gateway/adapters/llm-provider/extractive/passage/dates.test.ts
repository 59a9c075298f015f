import { expect, test } from 'vitest';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { answerByQuoting } from '../answer/answer.ts';
import { hasPeriod, periodNamed } from './dates.ts';

test.each([
  ['mai', 'open daily, march to october', true],
  ['januari', 'open daily, march to october', false],
  ['januari', 'from november until february on weekends', true],
  ['juli', 'july and august: 79 coins', true],
  ['juli', 'on 14 july and 3 september', true],
  ['christma', 'between 24 and 26 december the house is shut', true],
  ['christma', 'shut on december 31', false],
  ['christma', '20 december to 6 january', true],
  ['mai', 'you may come from june to august', false],
  ['7月', '4 月至 10 月开放', true],
  ['1月', '11 月到次年 3 月周一闭馆', true],
  ['8月', '11 月到次年 3 月周一闭馆', false],
  ['7月', '6-9 月开放', true],
  ['国庆', '10 月 1 日至 7 日延长到 20:00', true],
  ['国庆', '10 月 9 日闭馆', false],
])('%s is in %j: %s', (word, text, isIn) => {
  const period = periodNamed(word);
  expect(period !== undefined && hasPeriod(text, period)).toBe(isIn);
});

const garden = {
  title: 'Garden',
  text: '# Garden\n\nThe maze is open from April to September. The orchid house is open all year except between 24 and 27 December, when it is closed.\n\nTickets cost €7.',
};
const lake = { title: '湖区', text: '# 湖区\n\n游船 4 月至 10 月每天运行，11 月到次年 3 月停航。\n\n船票 45 元。' };

test.each([
  ['Is the maze open in June?', 'April to September', garden],
  ['Is the orchid house open at Christmas?', '24 and 27 December', garden],
  ['7月有游船吗', '4 月至 10 月', lake],
])('%j is answered with the period that includes it', (question, expected, page) => {
  const { pieces } = answerByQuoting(question, passagesOf(page));
  expect(pieces.join('')).toContain(expected);
});
