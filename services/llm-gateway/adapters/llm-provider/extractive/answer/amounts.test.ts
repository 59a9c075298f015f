import { expect, test } from 'vitest';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { answerByQuoting } from './answer.ts';

const answerTo = (question: string, ...passages: Parameters<typeof passagesOf>) => {
  const { isRefusal, pieces } = answerByQuoting(question, passagesOf(...passages));
  return isRefusal ? 'refused' : pieces.join('');
};

const school = {
  title: '潜水学校',
  text: '# 潜水学校\n\n学员入学当天可免费参加一次 30 分钟的装备讲解，需提前两天预约。\n\n| 项目：体验潜水 | 时长：90 分钟 | 价格：75 欧元 |\n| 项目：夜潜 | 时长：60 分钟 | 价格：90 欧元 |\n\n面镜前台有售，12 美元。',
};
const loans = {
  title: '会费与分期费用',
  text: '# 会费与分期费用\n\n会员费 80 元，当年租满 9 次免次年会员费。\n\n单笔满 700 元可以分期：\n\n| 期数：6 期 | 每期费率：0.52% |\n| 期数：9 期 | 每期费率：0.44% |',
};
const rents = [
  {
    title: 'Rents and complaints',
    text: '# Rents and complaints\n\nYour statement is made on the 2nd of each month, and the amount is due on the 11th. You can pay in four parts from $300.',
  },
  {
    title: 'Rents and complaints',
    text: '## A payment that you do not accept\n\nDo so within 45 days of the statement. We credit the amount within 30 days.',
  },
];

test('an amount in a currency of another country is a price', () => {
  expect(answerTo('夜潜多少钱', school)).toContain('90 欧元');
  expect(answerTo('面镜多少钱', school)).toContain('12 美元');
});

test('a fee may be a share of the amount, and is that of the number of instalments asked for', () => {
  expect(answerTo('分9期手续费多少', loans)).toContain('0.44%');
  expect(answerTo('分9期手续费多少', loans)).not.toContain('80 元');
  expect(answerTo('分6期手续费多少', loans)).toContain('0.52%');
  expect(answerTo('分24期手续费多少', loans)).toBe('refused');
});

test('a value below a heading that negates is that of an exception', () => {
  expect(answerTo('When do I have to pay my rent?', ...rents)).toContain('11th');
});

const passes = {
  title: 'Pass prices',
  text: '# Pass prices\n\n| Service: Yearly fee | Blue pass: free | Silver pass: $70 |\n| Service: Foreign currency payment | Blue pass: 1.4 % | Silver pass: free |\n| Service: Late payment | Blue pass: $15 | Silver pass: $15 |\n\nSilver pass holders who spend $9,000 in a year do not pay the yearly fee of the next year.',
};

test('an amount that someone must spend is no price', () => {
  const text = answerTo('how much is the silver pass a year', passes);
  expect(text).toContain('$70');
  expect(text).not.toContain('$9,000');
});

test('euros are foreign currency', () => {
  expect(answerTo('is there a fee for paying in euros with a silver pass', passes)).toContain(
    'Foreign currency payment',
  );
  expect(answerTo('What is the exchange rate of the yen today?', passes)).toBe('refused');
});

const courses = {
  title: 'Sailing courses',
  text: '# Sailing courses\n\n| Course: Dinghy | Price: €240 | Days: 4 |\n| Course: Catamaran | Price: €310 | Days: 3 |\n\nBoats are cleaned by us.',
};

test('the table answers which of its things is the cheapest', () => {
  for (const price of ['€240', '€310']) {
    expect(answerTo('How much is the cheapest sailing course?', courses)).toContain(price);
  }
  const lessons = {
    title: '游泳课',
    text: '# 游泳课\n\n| 课程：初级班 | 价格：120 元 |\n| 课程：亲子班 | 价格：260 元 |',
  };
  expect(answerTo('最贵的游泳课多少钱', lessons)).toContain('260 元');
});

const returns = {
  title: 'Rents and claims',
  text: '# Rents and claims\n\nYour statement is made on the 2nd of each month, and the rent is due on the 11th. By default it is collected.\n\n## Something is broken\n\nOpen the flat in the app and choose Claim. We repair it within 21 days.',
};

test('a day of the month is no answer to how long something takes', () => {
  expect(answerTo('How long does a claim take?', returns)).toContain('21 days');
});

test('the hours of a part are not those of the whole', () => {
  const hours = {
    title: 'Opening hours',
    text: '# Opening hours\n\n- Monday to Friday: 7:00 – 21:00\n- Saturday: 9:00 – 17:00\n\nThe sauna closes two hours before the spa. On 3 May the spa is shut.',
  };
  expect(answerTo('What time do you close?', hours)).toContain('21:00');
  expect(answerTo('When does the sauna close?', hours)).toContain('two hours before');
});
