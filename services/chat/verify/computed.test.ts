import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { SentenceSupport } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { createVerifier } from './verifier.ts';

const rates =
  'Australia: first kilogram CNY 124, each further kilogram CNY 55. A gift box costs CNY 15. Delivery takes 6 days.';
const prices = '落地灯售价 699 元，台灯 329 元，会员打 5% 的折扣。安装费 80 元。';

function supportOf(source: string, question: string, sentence: string) {
  const passages = [create(PassageSchema, { text: source })];
  return createVerifier({ passages, questions: [question] }, 0)(`${sentence} [1]`, [1])?.support;
}

test.each([
  [
    'a price for the first and each further thing',
    rates,
    'How much is a 3 kg parcel to Australia?',
    'A parcel of 3 kg costs CNY 234.',
    'A parcel of 3 kg costs CNY 244.',
  ],
  [
    'a sum of what the sentence names',
    rates,
    'What is it with a gift box?',
    'CNY 124 plus CNY 15 for the box is CNY 139.',
    'CNY 124 plus CNY 15 for the box is CNY 149.',
  ],
  [
    'a product with a number of the question',
    rates,
    'I need 4 gift boxes, how much?',
    '4 gift boxes cost CNY 60.',
    '4 gift boxes cost CNY 75.',
  ],
  [
    'a sum of three',
    prices,
    '',
    '落地灯 699 元、台灯 329 元、安装费 80 元，一共 1108 元。',
    '落地灯 699 元、台灯 329 元、安装费 80 元，一共 1208 元。',
  ],
  ['a difference', prices, '落地灯比台灯贵多少？', '两者相差 370 元。', '两者相差 380 元。'],
  [
    'a percentage that is taken away',
    prices,
    '会员买落地灯多少钱？',
    '落地灯 699 元，减去 5% 是 664.05 元。',
    '落地灯 699 元，减去 5% 是 654.05 元。',
  ],
  ['a share', prices, '', '台灯 329 元是落地灯 699 元的 47.07%。', '台灯 329 元是落地灯 699 元的 57.07%。'],
  [
    'a difference of times',
    rates,
    'I have waited for 2 days, how much longer?',
    'It takes 4 days more.',
    'It takes 5 days more.',
  ],
])('%s is supported, and a wrong one is not', (_, source, question, right, wrong) => {
  expect(supportOf(source, question, right)).toBe(SentenceSupport.SUPPORTED);
  expect(supportOf(source, question, wrong)).toBe(SentenceSupport.NUMBER_NOT_IN_SOURCE);
});

test.each([
  ['another currency', 'A parcel of 3 kg costs USD 234.'],
  ['numbers of the page that nothing relates', 'A parcel costs CNY 139.'],
  ['another unit', 'It takes 234 days.'],
])('%s is no result', (_, sentence) => {
  expect(supportOf(rates, 'How much is a parcel to Australia?', sentence)).toBe(SentenceSupport.NUMBER_NOT_IN_SOURCE);
});
