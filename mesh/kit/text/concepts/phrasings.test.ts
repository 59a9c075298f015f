import { expect, test } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { inFormalPhrases } from './phrasings.ts';

test.each([
  ['多久能收到货', '配送时效多久'],
  ['下单后几天到货?', '配送时效多久?'],
  ['东西什么时候能送到', '配送时效多久'],
  ['when will my order arrive?', 'what is the delivery transit time?'],
  ['how many days until my parcel arrives?', 'what is the delivery transit time?'],
  ['how long does shipping take to canada?', 'what is the delivery transit time to canada?'],
  ['几天能退货?', '退货期限几天?'],
  ['买的东西不喜欢,几天内可以退货?', '买的东西不喜欢,退货期限几天?'],
  ['退的钱什么时候到', '退款多久到账'],
  ['怎么联系客服', '客服电话是多少'],
  ['how do i get in touch with you?', 'what is the hotline?'],
  ['我要退货怎么弄', '怎么退货'],
  ['快递丢了怎么办', '丢件怎么办'],
  ['积分能干什么', '积分怎么花'],
  ['what time do you close?', 'what are the opening hours'],
  ['你们几点关门', '营业时间几点'],
  ['会员卡丢了怎么办', '会员卡挂失怎么办'],
  ['投影仪能干什么', '投影仪有什么用'],
])('%j is %j for documents', (asked, formal) => {
  expect(inFormalPhrases(asked)).toBe(formal);
});

test.each([
  '退款几天能到账吗',
  '实时转账多久到',
  '重复扣了2次钱多久能退',
  '寄到日本要几天',
  '账号被盗了先做什么',
  'when will the refund arrive',
  'when can i call you?',
  'how can i reach you by phone',
  'what time does the pool close?',
  '泳池几点关门',
  'how do i change my phone number?',
  "how long do i have to send in the vet's bill",
])('%j asks for something else', (asked) => {
  expect(inFormalPhrases(asked)).not.toMatch(
    /配送时效|退货期限|有什么用|客服电话|营业时间|opening hours|transit time|hotline|return window/,
  );
});

test('a message of the longest question is read in milliseconds', () => {
  const before = threadCpuMs();
  for (const part of ['多久', '包裹', '我想要', '能干什么', 'how long does it take for ', 'when does the ']) {
    inFormalPhrases(part.repeat(Math.ceil(16_384 / part.length)));
  }
  // 5 ms on a quick machine; one that reads each part again for each part takes minutes.
  expect(threadCpuMs() - before).toBeLessThan(2000);
});
