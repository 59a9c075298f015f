import { expect, test } from 'vitest';
import { conceptsOf, formalWords } from './concepts.ts';
import { kindsOf } from './kinds.ts';

const share = (a: string, b: string) => {
  const known = new Set(conceptsOf(a).map(({ concept }) => concept));
  return conceptsOf(b).some(({ concept }) => known.has(concept));
};

test.each([
  ['包裹晚到了', '配送延误', true],
  ['can i get my money back', 'refunds take five days', true],
  ['is it open on mondays', '周一闭馆', true],
  ['住在拉萨', '西藏自治区', true],
  ['parcels to germany', 'eu, from the port', true],
  ['押金多少', '电话号码', false],
])('%j and %j name the same: %s', (a, b, isSame) => {
  expect(share(a, b)).toBe(isSame);
});

test('a search gets the words of documents for the words of customers', () => {
  expect(formalWords('包裹晚到了')).toContain('延误');
  expect(formalWords('住在拉萨')).toContain('西藏');
  expect(formalWords('这个能退吗')).toContain('退货');
  expect(formalWords('退款')).not.toContain('退货');
  expect(formalWords('邮费怎么算')).toEqual(['运费']);
  expect(formalWords('how do i get my money back')).toContain('refund');
});

test.each([
  ['这盏台灯', '灯具 15 天', true],
  ['a desk lamp', 'lamps, projectors', true],
  ['is my kettle covered', 'small appliances: 18 months', true],
  ['一个吸尘器', '加湿器多少钱', false],
  ['a floor lamp', 'desk lamps', true],
  ['住在拉萨', '西藏自治区', true],
  ['parcels to germany', 'eu, from the port', true],
  ['寄到德国', '法国 3 天', false],
])('the kind of %j is named in %j: %s', (thing, text, isNamed) => {
  const { named } = kindsOf(text);
  expect([...kindsOf(thing).ofThings].some((kind) => named.has(kind))).toBe(isNamed);
});

test('a search gets the kind of a thing', () => {
  expect(formalWords('台灯能不能修')).toContain('灯具');
  expect(formalWords('is a kettle covered')).toContain('small appliance');
});

test('words that documents use themselves get nothing', () => {
  expect(formalWords('退款')).toEqual([]);
  expect(formalWords('refund')).toEqual([]);
});
