import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { Language, type Passage, PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { answerByQuoting } from '../answer/answer.ts';

const page = (title: string, text: string, heading = ''): Passage =>
  create(PassageSchema, {
    corpus: 'help',
    documentId: title,
    title,
    headingPath: heading === '' ? [] : [heading],
    text,
    language: /\p{sc=Han}/u.test(text) ? Language.ZH : Language.EN,
  });

const help = [
  page('换货', '| 环节 | 时间 |\n|---|---|\n| 审核 | 2 天 |\n| 新品出库 | 退回件扫描后 36 小时内 |', '时效一览'),
  page('山区配送', '一般 7–9 天。', '时间'),
  page('配送', '| 方式 | 费用 | 时效 |\n|---|---|---|\n| 普通 | 9 元 | 3–5 天 |\n| 加急 | 20 元 | 1 天 |', '运费标准'),
  page('配送', '送货员上门两次，之后在代办点保留 6 天。', '未送达'),
  page('退货', '第三方商家的商品以店铺承诺为准，可在 4 天内申请。'),
  page('退货', '- 鞋：12 天内，没有穿过。\n- 书：8 天内。', '可退期限'),
  page('退货', '1. 打开订单，点“申请退货”。\n2. 打印面单，6 天内有效。', '操作步骤'),
  page('优惠券', '1. 整单取消：券退还。\n2. 部分退货：券不退。', '取消和退货时券怎么办'),
  page('企业账户', '采购多的，请联系企业客服签订协议。'),
  page('客服电话几点有人接？', '热线 +1 202-555-0166，每天 9:00–20:00。'),
  page('门店', '| 门店 | 电话 |\n|---|---|\n| 城东 | +1 202-555-0167 |\n| 城西 | +1 202-555-0168 |', '门店信息'),
];

test.each([
  ['多久能收到货', '3–5 天', '36 小时'],
  ['下单后几天到货', '3–5 天', '6 天'],
  ['几天能退货？', '12 天', '4 天'],
  ['我要退货怎么弄', '申请退货', '券'],
  ['怎么联系客服', '0166', '协议'],
  ['你们电话多少', '0166', '0167'],
])('%j gets %s, and nothing about %s', (question, value, other) => {
  const { isRefusal, pieces } = answerByQuoting(question, help, 'zh');
  expect(isRefusal).toBe(false);
  expect(pieces.join('')).toContain(value);
  expect(pieces.join('')).not.toContain(other);
});

test('the special case that a question names is its answer', () => {
  expect(answerByQuoting('山区配送要多久', help, 'zh').pieces.join('')).toContain('7–9 天');
});

test('a topic without a value of the wanted kind is refused', () => {
  expect(answerByQuoting('多久能收到货', help.slice(4, 8), 'zh').isRefusal).toBe(true);
});
