import { readFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { type Passage, PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { citedSentences } from './sentences.ts';
import { createVerifier } from './verifier.ts';

// Sentences that a model could write about the pages of the sample, and what becomes of them when one fact changes.

const sample = new URL('../../../deployments/sample/', import.meta.url);

/** A section of a page of the sample: `en/returns.md#Deductions`. */
function section(name: string): Passage {
  const [page = '', heading = ''] = name.split('#');
  const text = readFileSync(new URL(page, sample), 'utf8');
  const found = text.split(/^### /m).find((part) => part.startsWith(`${heading}\n`));
  if (found === undefined) throw new Error(`${name} is not in the sample`);
  const title = /^title: (.*)$/m.exec(text)?.[1] ?? '';
  return create(PassageSchema, { title, headingPath: [heading], text: found.slice(heading.length + 1) });
}

interface Case {
  sources: string[];
  honest: string;
  /** The same with one thing changed. */
  changed: string[];
  question?: string;
}

const cases: Case[] = [
  {
    sources: ['en/returns.md#How long you have'],
    honest: 'Lamps can be sent back within fifteen days, textiles within thirty [1].',
    changed: [
      'Lamps can be sent back within fifty days, textiles within thirty [1].',
      'Lamps can be sent back within 15 hours [1].',
    ],
  },
  {
    sources: ['en/returns.md#How long you have'],
    honest: '灯具可以在15天内退货，床品是30天 [1]。',
    changed: ['灯具可以在97天内退货，床品是30天 [1]。', '灯具可以在15个月内退货，床品是30天 [1]。'],
  },
  {
    sources: ['zh/returns.md#可退期限'],
    honest: 'Small appliances: 15 days; refurbished devices: ten days [1].',
    changed: ['Small appliances: 15 days; refurbished devices: twelve days [1].', 'Small appliances: 15 weeks [1].'],
  },
  {
    sources: ['zh/returns.md#可退期限'],
    honest: '11月1日到12月24日之间下单的，可以退到次年1月15日 [1]。',
    changed: [
      '11月1日到12月25日之间下单的，可以退到次年1月15日 [1]。',
      '11月1日到12月24日之间下单的，可以退到次年2月15日 [1]。',
    ],
  },
  {
    sources: ['zh/returns.md#可退期限'],
    honest: 'Orders placed from 1 November to December 24 can go back until Jan 15 [1].',
    changed: [
      'Orders placed from 1 November to December 24 can go back until Jan 16 [1].',
      'Orders from 1 October can go back until Jan 15 [1].',
    ],
  },
  {
    sources: ['en/returns.md#Who pays the postage'],
    honest: 'If you change your mind, ¥12 is taken from the refund. [1]',
    changed: [
      'If you change your mind, ¥888 is taken from the refund. [1]',
      'If you change your mind, $12 is taken from the refund. [1]',
    ],
  },
  {
    sources: ['en/returns.md#Who pays the postage'],
    honest: '因个人原因退货，从退款中扣12元；金卡和白金会员每年有六次免费 [1]。',
    changed: [
      '因个人原因退货，从退款中扣20元 [1]。',
      '因个人原因退货，从退款中扣12美元 [1]。',
      '金卡和白金会员每年有七次免费 [1]。',
    ],
  },
  {
    sources: ['zh/returns.md#退款多久到账'],
    honest: '质检需要３个工作日，信用卡再等5到10个工作日【1】。'.replace('【1】', '[1]'),
    changed: ['质检需要3个工作日，信用卡再等5到15个工作日[1]。', '质检需要3小时，信用卡再等5到10个工作日[1]。'],
  },
  {
    sources: ['zh/returns.md#退款多久到账'],
    honest: 'Credit cards take 5–10 business days, cards issued abroad up to two weeks [1].',
    changed: ['Credit cards take 5–12 business days [1].', 'Cards issued abroad take up to three weeks [1].'],
  },
  {
    sources: ['en/returns.md#Deductions'],
    honest: '缺原包装盒最多扣20%，少遥控器扣45元，少充电器扣六十九元 [1]。',
    changed: ['缺原包装盒最多扣25% [1]。', '缺原包装盒最多扣20元 [1]。', '少充电器扣九十六元 [1]。'],
  },
  {
    sources: ['en/returns.md#Deductions'],
    honest: 'A missing box costs at most 20 percent; the remote is 45 yuan and the charger ￥69 [1].',
    changed: ['A missing box costs at most 30 percent [1].', 'The remote is 45 euros [1].', 'The charger is ￥96 [1].'],
  },
  {
    sources: ['en/returns.md#Starting a return'],
    honest: 'The label works for ten days, and your return number looks like RMA-26-004512 [1].',
    changed: ['The label works for 10 weeks [1].', 'Your return number looks like RMA-26-004521 [1].'],
  },
  {
    sources: ['zh/returns.md#操作步骤'],
    honest: '最多可传五张照片，或一段一分钟以内的视频 [1]。',
    changed: ['最多可传八张照片 [1]。', '最多可传五张照片，或一段两分钟以内的视频 [1]。'],
  },
  {
    sources: ['en/returns.md#If we refuse'],
    honest: 'You may appeal within two weeks; refused parcels are kept for 30 days [1].',
    changed: ['You may appeal within four weeks [1].', 'Refused parcels are kept for 60 days [1].'],
  },
  {
    sources: ['en/returns.md#If we refuse'],
    honest: '可以在14天内回信申诉，第二位质检员5个工作日内给出结论 [1]。',
    changed: ['可以在24天内回信申诉 [1]。', '第二位质检员5小时内给出结论 [1]。'],
  },
  {
    sources: ['en/shipping.md#Mainland China'],
    honest: '满129元包邮，否则运费10元；超过20公斤的大件收60元 [1]。',
    changed: ['满99元包邮，否则运费10元 [1]。', '满129元包邮，否则运费10欧元 [1]。', '超过20克的大件收60元 [1]。'],
  },
  {
    sources: ['en/shipping.md#Mainland China'],
    honest: 'Pay before 4 pm Beijing time and it leaves on the same day; transit takes 2 to 4 days [1].',
    changed: ['Pay before 6 pm Beijing time and it leaves on the same day [1].', 'Transit takes 2 to 5 days [1].'],
  },
  {
    sources: ['en/shipping.md#Mainland China'],
    honest: '北京时间下午4点前付款，当天从苏州发出 [1]。',
    changed: ['北京时间下午5点前付款，当天从苏州发出 [1]。', '北京时间上午11:30前付款，当天从苏州发出 [1]。'],
  },
  {
    sources: ['en/shipping.md#Overseas rates'],
    honest: 'Australia is zone E: CNY 124 for the first kilogram, CNY 55 for each further one, 9–15 days [1].',
    changed: [
      'Australia is zone E: CNY 142 for the first kilogram [1].',
      'Australia is zone E: USD 124 for the first kilogram [1].',
      'Australia is zone E and takes 9–18 days [1].',
    ],
    question: 'How much is shipping to Australia for a 3 kg parcel?',
  },
  {
    sources: ['en/shipping.md#Overseas rates'],
    honest: 'Your 7 kg parcel to Canada falls in zone D (CNY 118, then CNY 52 a kilo) [1].',
    changed: [
      'Your 8 kg parcel to Canada falls in zone D (CNY 118, then CNY 52 a kilo) [1].',
      'Canada falls in zone D (CNY 181) [1].',
    ],
    question: 'I want to send 7 kg to Canada, how much is it?',
  },
  {
    sources: ['en/shipping.md#Overseas rates'],
    honest: '商品满899元且不到3kg时免国际运费；体积重＝长×宽×高÷6000 [1]。',
    changed: [
      '商品满889元且不到3kg时免国际运费 [1]。',
      '商品满899元且不到3g时免国际运费 [1]。',
      '体积重＝长×宽×高÷5000 [1]。',
    ],
  },
  {
    sources: ['en/shipping.md#Batteries'],
    honest: '户外电源 PWR-0550 只走陆运，时效多三天；PPR-9087 可以带电池空运 [1]。',
    changed: [
      '户外电源 PWR-0560 只走陆运 [1]。',
      '户外电源 PWR-0550 只走陆运，时效多五天 [1]。',
      'PPR-9078 可以带电池空运 [1]。',
    ],
  },
  {
    sources: ['en/shipping.md#Address changes'],
    honest: 'A redirect costs fifteen yuan within the city, and CNY 30 to another province [1].',
    changed: [
      'A redirect costs fifteen yuan within the city, and CNY 50 to another province [1].',
      'A redirect costs fifteen dollars within the city [1].',
    ],
  },
  {
    sources: ['en/shipping.md#Missed delivery'],
    honest: '快递会派送两次，之后在自提点保存一周 [1]。',
    changed: ['快递会派送四次 [1]。', '之后在自提点保存三周 [1]。'],
  },
  {
    sources: ['en/shipping.md#Damage in transit'],
    honest: 'Report damage within two days, with photos [1].',
    changed: ['Report damage within three days, with photos [1].', 'Report damage within 48 days, with photos [1].'],
  },
  {
    sources: ['zh/payment.md#付款时限'],
    honest: 'Unpaid orders are kept for half an hour, flash sales for 10 minutes, bank transfers for 3 days [1].',
    changed: ['Flash sales are kept for 10 hours [1].', 'Bank transfers are kept for 13 days [1].'],
  },
  {
    sources: ['zh/payment.md#付款时限'],
    honest: '对公转账保留三天，预售尾款在尾款期开始后保留3天 [1]。',
    changed: ['对公转账保留两天 [1]。', '预售尾款在尾款期开始后保留5天 [1]。'],
  },
  {
    sources: ['zh/payment.md#分期'],
    honest: 'From CNY 2,000 you can pay in 12 instalments, at 5.4% in total [1].',
    changed: [
      'From CNY 2,000 you can pay in 24 instalments [1].',
      'From CNY 200 you can pay in 12 instalments [1].',
      'The fee is 4.5% in total [1].',
    ],
  },
  {
    sources: ['zh/payment.md#分期'],
    honest: '满五百元可以分3期或6期；三期不收利息，六期费率为百分之二点四 [1]。',
    changed: ['满三百元可以分3期或6期 [1]。', '六期费率为百分之三点四 [1]。'],
  },
  {
    sources: ['zh/membership.md#积分怎么花'],
    honest: '一百积分抵一元，一千积分抵得更多，500分起用 [1]。',
    changed: ['两百积分抵一元 [1]。', '300分起用 [1]。'],
    question: '一千积分能抵多少钱？',
  },
  {
    sources: ['zh/membership.md#积分怎么花'],
    honest: '100 points are worth 1 yuan, and cover at most 20% of the price [1].',
    changed: ['100 points are worth 5 yuan [1].', 'They cover at most 50% of the price [1].'],
  },
  {
    sources: ['zh/membership.md#有效期'],
    honest: 'Points expire on December 31 of the next year; reminders come 45 and seven days before [1].',
    changed: ['Points expire on December 30 of the next year [1].', 'Reminders come 40 and seven days before [1].'],
  },
  {
    sources: ['zh/membership.md#积分怎么得'],
    honest: '积分在签收15天后入账；推荐朋友首单满99元，可得500分 [1]。',
    changed: ['积分在签收7天后入账 [1]。', '推荐朋友首单满199元，可得500分 [1]。'],
  },
  {
    sources: ['en/ppr-9087.md#Error codes'],
    honest: 'E-07 表示风扇卡住，10 秒后自动关机；请清理两个通风口 [1]。',
    changed: ['E-08 表示风扇卡住 [1]。', 'E-07 表示风扇卡住，10 分钟后自动关机 [1]。'],
  },
  {
    sources: ['en/ppr-9087.md#Error codes'],
    honest: 'On E07 the fan has stalled and the projector turns off after ten seconds [1].',
    changed: ['On E17 the fan has stalled [1].', 'On E07 the projector turns off after twenty seconds [1].'],
  },
  {
    sources: ['en/ppr-9087.md#Firmware'],
    honest: '当前固件为 v2.1.3，2026年8月20日发布，Eco 模式噪音降到26dB [1]。',
    changed: ['当前固件为 v2.1.4 [1]。', '当前固件为 v2.1.3，2026年8月22日发布 [1]。', 'Eco 模式噪音降到62dB [1]。'],
  },
  {
    sources: ['en/ppr-9087.md#Firmware'],
    honest: 'Version v2.1.3 came out on 2026-08-20; keep the battery at 30% and allow six minutes [1].',
    changed: ['Version v2.1.3 came out on 2025-08-20 [1].', 'Keep the battery at 40% [1].', 'Allow sixty minutes [1].'],
  },
  {
    sources: ['en/ppr-9087.md#First start'],
    honest: '先充电约两小时，再按住电源键2秒；支持2.4GHz和5GHz两个频段 [1]。',
    changed: ['先充电约三小时 [1]。', '再按住电源键2分钟 [1]。', '支持2.4GHz和6GHz两个频段 [1]。'],
  },
  {
    sources: ['en/ppr-9087.md#At a glance'],
    honest: 'It weighs 1100 g, and the battery of 13400 mAh lasts about two and a half hours; use the 65W charger [1].',
    changed: ['It weighs 1300 g [1].', 'Use the 56W charger [1].', 'The battery has 14300 mAh [1].'],
  },
  {
    sources: ['en/ppr-9087.md#Frequent questions'],
    honest: 'Hold both buttons for 10 seconds to reset it [1]. Recharge it every three months when you store it [1].',
    changed: [
      'Hold both buttons for 10 minutes to reset it [1].',
      'Recharge it every six months when you store it [1].',
    ],
  },
  {
    sources: ['en/returns.md#Who pays the postage', 'en/returns.md#Deductions'],
    honest: 'You pay CNY 12 for the postage [1], and a missing remote control costs CNY 45 [2].',
    changed: ['You pay CNY 12 for the postage [2].', 'A missing remote control costs CNY 45 [1].'],
  },
  {
    sources: ['zh/returns.md#运费由谁承担', 'zh/returns.md#可能的扣款'],
    honest: '有三种情况：\n1. 质量问题由商家承担运费[1]。\n2. 个人原因扣12元[1]。\n3. 缺遥控器扣45元。',
    changed: ['1. 个人原因扣15元[1]。', '2. 缺遥控器扣45元[1]。', '3. 缺遥控器扣888元。'],
  },
  {
    sources: ['en/returns.md#What cannot be returned'],
    honest: 'Gift cards and activated extended-warranty plans cannot be returned [1].',
    changed: [],
  },
  {
    sources: ['zh/membership.md#积分怎么花'],
    honest: '积分不能提现，也不能转给别人 [1]。',
    changed: ['积分可以提现，也可以转给别人 [1]。'],
  },
  {
    sources: ['en/ppr-9087.md#Error codes'],
    honest: 'The bearing fails when you blow compressed air into the fan, and warranty does not cover it [1].',
    changed: ['The warranty covers it when you blow compressed air into the fan [1].'],
  },
  {
    sources: ['en/ppr-9087.md#Firmware'],
    honest: 'You cannot go back to an older version [1].',
    changed: ['Going back to an older version is possible [1].'],
  },
  {
    sources: ['en/shipping.md#Address changes'],
    honest: 'You can edit the address yourself until the status says Packing [1].',
    changed: ['You can never edit the address yourself until the status reads Packing [1].'],
  },
  {
    sources: ['zh/membership.md#家庭绑定'],
    honest: '任何一方都能解绑 [1]。',
    changed: ['任何一方都不可以解绑 [1]。'],
  },
  {
    sources: ['zh/membership.md#企业账户'],
    honest: 'Companies that buy for 100,000 yuan a year can sign a framework contract [1].',
    changed: ['Companies that buy for 10,000 yuan a year can sign a framework contract [1].'],
  },
  {
    sources: ['zh/payment.md#付款时限'],
    honest: '普通订单要在半小时内付款 [1]。',
    changed: ['普通订单要在半天内付款 [1]。'],
  },
  {
    sources: ['zh/membership.md#积分怎么得'],
    honest: 'A review of thirty characters earns 20 points [1].',
    changed: ['A review of thirty characters earns 25 points [1].'],
  },
];

/** Sentences that fail, with the default lowest support. */
function failing(text: string, { sources, question = '' }: Case): string[] {
  const passages = sources.map(section);
  const verify = createVerifier({ passages, questions: [question, question] }, 0.15);
  return citedSentences(text, passages.length).flatMap(({ start, end, markers }) => {
    const sentence = text.slice(start, end);
    return verify(sentence, markers)?.fault === undefined ? [] : [sentence];
  });
}

test.each(cases.map((each) => [each.honest, each] as const))('passes an honest sentence: %s', (honest, each) => {
  expect(failing(honest, each)).toEqual([]);
});

test.each(cases.flatMap((each) => each.changed.map((changed) => [changed, each] as const)))(
  'finds a sentence with another fact: %s',
  (changed, each) => {
    expect(failing(changed, each)).toHaveLength(1);
  },
);
