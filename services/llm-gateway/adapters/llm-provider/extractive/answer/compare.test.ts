import { expect, test } from 'vitest';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { answerByQuoting } from './answer.ts';

const periods = {
  title: 'Price promise',
  headingPath: ['Days'],
  text: '- Bronze: 7 days\n- Copper: 9 days\n- Brass: 11 days',
};
const plans = {
  title: 'Plans',
  headingPath: ['Plans of the club'],
  text: '| Plan | Fee | Boats | Guests |\n|---|---|---|---|\n| Bronze | 10 coins | rowing boats | 1 |\n| Copper | 20 coins | all | 2 |\n| Brass | 30 coins | all | 4 |',
};
const mooring = {
  title: 'Mooring',
  headingPath: ['Time at the pier'],
  text: '| Boat | Longest stay | Fee |\n|---|---|---|\n| Sailing boats | 12 hours | 8 coins |\n| Rowing boats, canoes | 3 hours | free |',
};
const cards = {
  title: '收费标准',
  headingPath: ['收费标准'],
  text: '| 项目 | 普通卡 | 金卡 |\n|---|---|---|\n| 挂失 | 10 元 | 免收 |\n| 补卡 | 15 元 | 5 元 |',
};
const answerTo = (question: string) => {
  const { pieces, isRefusal } = answerByQuoting(question, passagesOf(periods, plans, mooring, cards));
  return isRefusal ? '' : pieces.join('');
};

test('the difference of two rows is what the widest table says of both', () => {
  const text = answerTo("What's the difference between Bronze and Brass?");
  expect(text).toContain('rowing boats');
  expect(text).toContain('30 coins');
  expect(text).not.toContain('days');
  expect(text).not.toContain('Copper');
});

test('an aspect is compared in the table that has it, by the kind of the thing', () => {
  const text = answerTo('Which has the longer stay at the pier, the sailing boat or the canoe?');
  expect(text).toContain('12 hours');
  expect(text).toContain('3 hours');
});

test('two columns of one row are both shown', () => {
  const text = answerTo('普通卡和金卡的挂失费分别是多少');
  expect(text).toContain('10 元');
  expect(text).toContain('免收');
  expect(text).not.toContain('15 元');
});

test('a thing that no table has is not compared with another', () => {
  expect(answerTo("What's the difference between Bronze and Titanium?")).not.toContain('Copper');
});
