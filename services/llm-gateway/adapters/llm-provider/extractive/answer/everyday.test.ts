import { expect, test } from 'vitest';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { answerByQuoting } from './answer.ts';

// What customers and documents call by different words, asked of pages that have only the one.

const answerTo = (question: string, ...passages: Parameters<typeof passagesOf>) => {
  const { isRefusal, pieces } = answerByQuoting(question, passagesOf(...passages));
  return isRefusal ? 'refused' : pieces.join('');
};

const cinema = {
  title: '湖畔影院',
  text: '## 湖畔影院\n\n每天第一场 9:40，最后一场 22:10。\n\n小份薯条 11 元，大份 17 元。\n\n## 观影规定\n\n- 不得自带熟食\n- 放映期间不得录像',
};
const pier = {
  title: '渡口',
  text: '## 渡口\n\n头班船 6:20，末班船 22:10。\n\n晚上售票到 21:30。',
};
const club = {
  title: 'Rowing club',
  text: '## Rowing club\n\nHandicaps are worked out on the second Sunday of every month.\n\n## Insurance\n\nYour boat must be insured. Jewellery and money are not covered.\n\n## Recordings\n\nCameras watch the jetty. Recordings are kept for 21 days.',
};
const sauna = {
  title: '汗蒸馆',
  text: '## 汗蒸馆\n\n汗蒸前请先淋浴。\n\n以下人员不得汗蒸：饮酒者、发烧者。\n\n次卡可以暂停一次，最长 40 天。',
};
const bakery = {
  title: 'Service and prices',
  text: '# Service and prices\n\n- Monday to Friday: 6:30 – 18:15\n- Saturday: 7:00 – 12:00\n\nThe coffee bar shuts half an hour earlier.\n\nCakes are made to order.',
};
const account = {
  title: 'Signing in',
  text: '## Two-step verification\n\nTurn it on under Menu → Safety with an authenticator app.\n\n## Single sign-on\n\nSingle sign-on is part of the Gold plan.',
};

test.each([
  ['最晚一班几点开', '末班船 22:10', pier],
  ['大桶薯条多少钱', '17 元', cinema],
  ['能带汉堡进去吃吗', '不得自带熟食', cinema],
  ['When are handicaps recalculated?', 'every month', club],
  ['how long do you keep CCTV footage', '21 days', club],
  ['Is my wedding ring insured?', 'Jewellery', club],
  ['喝了酒可以汗蒸吗', '饮酒者', sauna],
  ['想停卡两个月', '40 天', sauna],
  ['when do you close', '18:15', bakery],
  ['Do you offer SSO?', 'Gold plan', account],
  ['Is 2FA possible with an authenticator app?', 'Menu → Safety', account],
])('%j is answered with %j', (question, expected, page) => {
  expect(answerTo(question, page)).toContain(expected);
});

test.each([
  ['情侣座多少钱', cinema],
  ['Do you offer pizza?', club],
  ['Is there a desktop app?', account],
])('%j stays refused', (question, page) => {
  expect(answerTo(question, page)).toBe('refused');
});

test('a word before a thing is not a thing of its kind', () => {
  const rules = { title: 'Ferry', text: '## On board\n\nHot food and alcohol are not allowed on the upper deck.' };
  expect(answerTo('Do you deliver pizza?', rules)).toBe('refused');
});
