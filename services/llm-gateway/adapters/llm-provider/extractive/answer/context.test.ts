import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { answerByQuoting } from './answer.ts';

const boats = {
  title: 'Boat hire',
  text: '# Boat hire\n\n## What the price does not cover\n\n- fuel\n- damage to the hull\n\n## We never ask for\n\n- the PIN of your card\n\n## Opening: daily from 7:15 to 20:45\n\nThe pier is behind the mill.\n\n### May children steer?\n\nYes, from the age of twelve.',
};
const ferries = {
  title: '渡轮须知',
  text: '# 渡轮须知\n\n## 以下物品不得上船\n\n- 汽油\n- 充气气球\n\n## 票价\n\n| 票种：单程票 | 工作日：14 元 | 周末：19 元 |\n| 票种：月票 | 工作日：260 元 | 周末：260 元 |',
};
const textOf = (question: string, ...passages: Parameters<typeof passagesOf>) =>
  answerByQuoting(question, passagesOf(...passages)).pieces.join('');

describe('what gives a quotation its meaning is quoted with it:', () => {
  test.each([
    ['Is fuel covered by the price?', 'What the price does not cover: fuel.'],
    ['Do you ask for the PIN of my card?', 'We never ask for: the PIN of your card.'],
    ['May children steer the boat?', 'May children steer? Yes, from the age of twelve.'],
  ])('%s', (question, expected) => {
    expect(textOf(question, boats)).toContain(expected);
  });

  test('可以带气球上船吗？', () => {
    expect(textOf('可以带充气气球上船吗？', ferries)).toContain('以下物品不得上船：充气气球。');
  });
});

test('a heading that says something answers', () => {
  expect(textOf('What are your opening hours?', boats)).toContain('Opening: daily from 7:15 to 20:45.');
});

test('a row has the column that the question names', () => {
  const text = textOf('周末的单程票多少钱？', ferries);
  expect(text).toContain('单程票');
  expect(text).toContain('19 元');
  expect(text).not.toContain('14 元');
});

test('of two documents that disagree the newer one is quoted, with its date', () => {
  const fee = (coins: number, date: string) => ({
    title: 'Mooring fees',
    text: `A night at the pier costs ${coins} coins.`,
    documentId: date,
    language: Language.EN,
    updatedAt: timestampFromDate(new Date(date)),
  });
  const passages = [fee(11, '2024-02-01'), fee(17, '2026-04-09')];
  for (const evidence of [passages, passages.toReversed()]) {
    const text = textOf('How much does a night at the pier cost?', ...evidence);
    expect(text).toContain('17 coins (2026-04-09).');
    expect(text).not.toContain('11 coins');
  }
});

test('the price of a thing is never that of its part', () => {
  const repairs = {
    title: 'Repairs',
    text: '| Job: BOT-7730 oar | Price: 31 coins |\n| Job: BOT-7730 motor | Price: 410 coins |',
  };
  expect(answerByQuoting('BOT-7730 price', passagesOf(repairs)).isRefusal).toBe(true);
  const boat = { title: 'BOT-7730 rowing boat', text: 'Rowing boat, 2,900 coins, green. Spare oar: 28 coins.' };
  const text = textOf('BOT-7730 price', repairs, boat);
  expect(text).toContain('2,900 coins');
  expect(text).not.toContain('31 coins');
});

test('an amount that does not name the thing is not its price', () => {
  const wrapping = { title: 'Can you wrap it?', text: 'Wrapping costs 6 coins. Anchor chains cannot be wrapped.' };
  const chains = { title: 'Chains', text: 'Anchor chains keep 80% of their strength for 9 years.' };
  expect(answerByQuoting('How much does the anchor chain cost?', passagesOf(wrapping, chains)).isRefusal).toBe(true);
  const shop = { title: 'Chandlery', text: 'Ropes: 9 coins a metre. Anchor chain: 14 coins a metre.' };
  expect(textOf('How much does the anchor chain cost?', wrapping, chains, shop)).toContain('14 coins');
});

test('each question of a message is answered, or said to be not answered', () => {
  const both = textOf('What are your opening hours? Is fuel covered by the price?', boats);
  expect(both).toContain('7:15');
  expect(both).toContain('does not cover: fuel');
  const one = textOf('What are your opening hours? Who invented the submarine telegraph?', boats);
  expect(one).toContain('7:15');
  expect(one).toContain('The documents do not answer: Who invented the submarine telegraph?');
});

test('traditional characters get the answer of simplified ones', () => {
  expect(textOf('可以帶充氣氣球上船嗎？', ferries)).toBe(textOf('可以带充气气球上船吗？', ferries));
});

test('courtesy changes nothing', () => {
  const plain = textOf('Is fuel covered by the price?', boats);
  expect(textOf('Hi there, quick question: is fuel covered by the price? Thanks a lot in advance!', boats)).toBe(plain);
});

test('a summary is an outline of the document', () => {
  const text = textOf('Give me an overview of boat hire', boats);
  expect(text).toContain('What the price does not cover:\n- fuel. [1]');
  expect(text).toContain('7:15');
});

describe('what a rule says of a kind of things it says of each of them:', () => {
  const rules = {
    title: 'Returns',
    text: '| What: Lamps, kettles | Window: 16 days |\n| What: Textiles | Window: 33 days |',
  };
  const terms = { title: '退货规则', text: '可退期限：\n\n- 灯具、小家电：16 天内。\n- 床品、窗帘：33 天内。' };
  const lamp = { title: 'BRT-4410 desk lamp', text: 'A desk lamp of brass, 1.1 kg, with a cable of 2 metres.' };

  test.each([
    ['How many days do I have to return a desk lamp?', '16 days', rules, lamp],
    ['Until when may I return a curtain?', '33 days', rules, lamp],
    ['台灯几天内可以退货？', '16 天内', terms, lamp],
    ['落地灯几天内可以退货？', '16 天内', terms, lamp],
    ['床单几天内能退？', '33 天内', terms, lamp],
  ])('%s', (question, expected, ...passages) => {
    const text = textOf(question, ...passages);
    expect(text).toContain(expected);
    expect(text.match(/16|33/g)?.every((days) => expected.startsWith(days))).toBe(true);
  });
});

test('words that the dictionary does not know are divided as the documents write them', () => {
  const express = { title: '配送', text: '| 方式：次晨达 | 费用：31 元 |\n| 方式：普通件 | 费用：8 元 |' };
  expect(textOf('次晨达加多少钱', express)).toContain('31 元');
});

test('the price of a thing comes alone, and a code with a letter after its hyphen is one code', () => {
  const boat = { title: 'BOT-7730 rowing boat', text: 'Rowing boat, 2,900 coins, green. Spare oar BOT-S77: 28 coins.' };
  expect(textOf('How much is the BOT-7730?', boat)).not.toContain('28 coins');
  expect(textOf('Price of the spare oar BOT-S77?', boat)).toContain('28 coins');
});

test('what only the other language says is quoted after a note', () => {
  const boat = { title: 'BOT-7730 划艇', text: 'BOT-7730 划艇，售价 2,900 元，绿色。', language: Language.ZH };
  expect(textOf('BOT-7730 price', boat)).toMatch(/^Only a document in Chinese answers this:\n.*2,900 元/);
});
