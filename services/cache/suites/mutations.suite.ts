import fc from 'fast-check';

// Pairs of similar questions with different meanings, which a semantic cache must never confuse.

/** How the second question was made from the first. */
export type MutationKind = 'negated' | 'number' | 'date' | 'product' | 'direction';

/** A question and what became of it. */
export interface Mutation {
  kind: MutationKind;
  first: string;
  second: string;
}

const zhProducts = [
  '沙发',
  '餐桌',
  '台灯',
  '吸尘器',
  '电热毯',
  '微粒贷',
  '花呗',
  '借呗',
  '网商贷',
  '信用卡',
  '储蓄卡',
  '耳机',
  '路由器',
  '空气炸锅',
  '小米手环',
  '华为手表',
  'iPhone15',
  'PPR-9087',
  'VAC-3300',
  '净水器滤芯',
  '床垫',
  '窗帘',
];
const enProducts = [
  'sofa',
  'dining table',
  'desk lamp',
  'vacuum',
  'heated blanket',
  'gift card',
  'credit card',
  'debit card',
  'Heron lamp',
  'Tern kettle',
  'Swift vacuum',
  'iPhone15',
  'PPR-9087',
  'VAC-3300',
  'mattress',
  'curtains',
  'wireless router',
  'Acme Pro',
  'Contoso Max',
];
const zhPlaces = ['北京', '上海', '广州', '深圳', '苏州仓', '乌鲁木齐', '成都门店', '杭州', '海外仓', '香港'];
const enPlaces = [
  'Paris',
  'Rome',
  'Berlin',
  'Chengdu',
  'Canada',
  'Germany',
  'Tibet',
  'Oslo',
  'Madrid',
  'the Suzhou warehouse',
];
const zhAccounts = ['微信', '支付宝', '银行卡', '余额宝', '花呗', '借呗', '积分', '优惠券', '现金', '会员卡'];
const enAccounts = [
  'my wallet',
  'my bank account',
  'store credit',
  'cash',
  'points',
  'PayPal',
  'Visa',
  'the gift card',
];

const zhTemplates = [
  '{p}怎么退货',
  '{p}能退款吗',
  '请问{p}可以开发票吗',
  '{p}多久发货',
  '{p}坏了怎么维修',
  '我买的{p}什么时候到',
  '{p}保修多长时间',
  '怎么取消{p}的订单',
  '{p}可以货到付款吗',
  '{p}支持分期付款吗',
  '为什么{p}一直显示缺货',
  '{p}的价格是多少',
  '{p}可以和优惠券一起用吗',
  '{p}要怎么安装',
];
const enTemplates = [
  'How do I return the {p}?',
  'Can I get a refund for the {p}?',
  'When will the {p} ship?',
  'How long is the warranty on the {p}?',
  'Is the {p} available for next-day delivery?',
  'Why does the {p} show as out of stock?',
  'What does the {p} cost?',
  'How do I cancel the order of the {p}?',
  'Can the {p} be paid in instalments?',
  'Does the {p} come with an invoice?',
];
const zhNumbered = [
  '借{n}元每天利息多少',
  '{n}天内可以退{p}吗',
  '{p}满{n}元包邮吗',
  '{p}买{n}件有折扣吗',
  '{p}分{n}期怎么还',
  '第{n}次购买{p}还有优惠吗',
  '{p}超过{n}公斤运费怎么算',
  '优惠券{n}%的折扣能用于{p}吗',
];
const enNumbered = [
  'Can I return the {p} within {n} days?',
  'Is shipping of the {p} free over {n} dollars?',
  'Do I get a discount for {n} of the {p}?',
  'How do I pay the {p} in {n} months?',
  'What is the shipping of the {p} above {n} kg?',
  'Does the {n} percent voucher work for the {p}?',
];
const zhDated = [
  '{d}下单的{p}什么时候发货',
  '{d}买的{p}还能退吗',
  '{p}{d}有活动吗',
  '{d}客服上班吗',
  '{d}之前付款的{p}可以改地址吗',
];
const enDated = [
  'Will the {p} that I ordered on {d} ship soon?',
  'Can I still return the {p} bought on {d}?',
  'Is there a sale of the {p} on {d}?',
  'Are you open on {d}?',
  'Does the {p} arrive before {d}?',
];
const zhDates = [
  '11月22日',
  '12月3日',
  '周一',
  '星期五',
  '周日',
  '今天',
  '明天',
  '昨天',
  '上个月',
  '下周三',
  '国庆',
  '春节',
  '双11',
  '2026年1月5日',
  '15号',
  '22号',
  '上午',
  '晚上8点',
  '下午3点半',
  '去年',
];
const enDates = [
  'November 22',
  'Dec 3',
  'Monday',
  'Friday',
  'Christmas',
  'Black Friday',
  'January 5, 2026',
  '2026-03-01',
  '3 May',
  'Easter',
  'Sunday',
  '12 June 2025',
];
const zhDirected = [
  '从{a}寄到{b}要几天',
  '{a}到{b}的运费多少',
  '{a}怎么转到{b}',
  '可以把{a}换成{b}吗',
  '{a}转{b}收手续费吗',
  '用{a}还{b}可以吗',
  '怎么把{a}改成{b}',
  '{a}能兑换{b}吗',
  '{a}比{b}划算吗',
  '{a}提到{b}多久到账',
];
const enDirected = [
  'How long does it take from {a} to {b}?',
  'What does shipping cost from {a} to {b}?',
  'How do I move money from {a} to {b}?',
  'Can I exchange {a} for {b}?',
  'How do I replace {a} with {b}?',
  'Can I convert {a} into {b}?',
  'May I use {a} instead of {b}?',
  'Is {a} better than {b}?',
];
const zhNegated: readonly (readonly [string, string])[] = [
  ['{p}可以退货吗', '{p}不可以退货吗'],
  ['为什么{p}能用优惠券', '为什么{p}不能用优惠券'],
  ['{p}支持货到付款怎么办', '{p}不支持货到付款怎么办'],
  ['收到{p}了怎么办', '没收到{p}怎么办'],
  ['{p}有发票能退吗', '{p}没有发票能退吗'],
  ['{p}拆封了可以换吗', '{p}未拆封可以换吗'],
  ['我想取消{p}的订单', '我不想取消{p}的订单'],
  ['{p}登录了还要验证吗', '{p}没登录还要验证吗'],
  ['怎么让{p}自动续费', '怎么让{p}不自动续费'],
  ['开通{p}怎么操作', '关闭{p}怎么操作'],
  ['怎么提高{p}的额度', '怎么降低{p}的额度'],
  ['{p}发货之前能改地址吗', '{p}发货之后能改地址吗'],
  ['怎么绑定{p}', '怎么解绑{p}'],
  ['{p}上架要多久', '{p}下架要多久'],
  ['{p}怎么启用', '{p}怎么禁用'],
  ['{p}是正品吗', '{p}不是正品吗'],
  ['{p}无法付款', '{p}可以付款'],
];
const enNegated: readonly (readonly [string, string])[] = [
  ['Can I return the {p}?', "Can't I return the {p}?"],
  ['Why can I use a voucher for the {p}?', 'Why can I not use a voucher for the {p}?'],
  ['What if the {p} was delivered?', 'What if the {p} was not delivered?'],
  ['Can I return the {p} with a receipt?', 'Can I return the {p} without a receipt?'],
  ['Is the {p} in stock?', "Isn't the {p} in stock?"],
  ['How do I enable alerts for the {p}?', 'How do I disable alerts for the {p}?'],
  ['How do I increase the limit of the {p}?', 'How do I decrease the limit of the {p}?'],
  ['Can I change the address before the {p} ships?', 'Can I change the address after the {p} ships?'],
  ['How do I add the {p} to my order?', 'How do I remove the {p} from my order?'],
  ['Where do I buy the {p}?', 'Where do I sell the {p}?'],
  ['I want to cancel the {p}', "I don't want to cancel the {p}"],
  ['How do I turn on the {p}?', 'How do I turn off the {p}?'],
  ['How do I lock the {p}?', 'How do I unlock the {p}?'],
  ['The {p} always works', 'The {p} never works'],
  ['How do I open the {p}?', 'How do I close the {p}?'],
];

const numberTexts = (value: number): string[] => {
  const han = ['零', '一', '两', '三', '四', '五', '六', '七', '八', '九'];
  const texts = [String(value), String(value).replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)))];
  if (value < 10) texts.push(han[value] as string);
  if (value % 1000 === 0 && value < 10_000) texts.push(`${han[value / 1000]}千`, `${value / 1000}千`);
  return texts;
};
const englishNumber = (value: number): string[] => {
  const words = [
    'zero',
    'one',
    'two',
    'three',
    'four',
    'five',
    'six',
    'seven',
    'eight',
    'nine',
    'ten',
    'eleven',
    'twelve',
  ];
  return [
    String(value),
    ...(value > 1 && value <= 12 ? [words[value] as string] : []),
    ...(value >= 1000 ? [value.toLocaleString('en')] : []),
  ];
};

const fill = (template: string, slots: Record<string, string>) =>
  template.replace(/\{(\w)\}/g, (_, name: string) => slots[name] ?? '');
/** Two of them, none a part of the other: "lamp" for "Heron lamp" says less, and not something else. */
const twoOf = (values: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...values), fc.constantFrom(...values))
    .filter(([a, b]) => !a.toLowerCase().includes(b.toLowerCase()) && !b.toLowerCase().includes(a.toLowerCase()));
const numbers = fc.constantFrom(
  1,
  2,
  3,
  5,
  6,
  7,
  8,
  10,
  12,
  15,
  20,
  30,
  50,
  99,
  120,
  300,
  500,
  1000,
  2000,
  3000,
  5000,
  12_000,
);
const differentNumbers = fc.tuple(numbers, numbers).filter(([a, b]) => a !== b);
/** Ways in which another caller would open and close the same question: they make no difference. */
const zhFrames = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => `请问${text}`,
  (text) => `${text}？`,
  (text) => `你好，${text}`,
  (text) => `${text}呢`,
  (text) => `麻烦问一下${text}，谢谢`,
);
const enFrames = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => `Hello, ${text}`,
  (text) => text.replace('?', ''),
  (text) => `${text} Thanks`,
  (text) => text.toLowerCase(),
);

function mutationsOf(kind: MutationKind, language: 'zh' | 'en'): fc.Arbitrary<Mutation> {
  const zh = language === 'zh';
  const products = zh ? zhProducts : enProducts;
  const product = fc.constantFrom(...products);
  const pairs = (() => {
    switch (kind) {
      case 'negated':
        return fc
          .tuple(fc.constantFrom(...(zh ? zhNegated : enNegated)), product, fc.boolean())
          .map(([[a, b], p, swap]) => (swap ? [fill(b, { p }), fill(a, { p })] : [fill(a, { p }), fill(b, { p })]));
      case 'number':
        return fc
          .tuple(fc.constantFrom(...(zh ? zhNumbered : enNumbered)), product, differentNumbers, fc.nat(), fc.nat())
          .map(([template, p, values, i, j]) =>
            [i, j].map((seed, index) => {
              const texts = (zh ? numberTexts : englishNumber)(values[index] as number);
              return fill(template, { p, n: texts[seed % texts.length] as string });
            }),
          );
      case 'date':
        return fc
          .tuple(fc.constantFrom(...(zh ? zhDated : enDated)), product, twoOf(zh ? zhDates : enDates))
          .map(([template, p, dates]) => dates.map((d) => fill(template, { p, d })));
      case 'product':
        return fc
          .tuple(fc.constantFrom(...(zh ? zhTemplates : enTemplates)), twoOf(products))
          .map(([template, two]) => two.map((p) => fill(template, { p })));
      case 'direction':
        return fc
          .tuple(
            fc.constantFrom(...(zh ? zhDirected : enDirected)),
            fc.oneof(twoOf(zh ? zhPlaces : enPlaces), twoOf(zh ? zhAccounts : enAccounts)),
          )
          .map(([template, [a, b]]) => [fill(template, { a, b }), fill(template, { a: b, b: a })]);
      default:
        throw kind satisfies never;
    }
  })();
  const frames = zh ? zhFrames : enFrames;
  return fc
    .tuple(pairs, frames, frames)
    .map(([[first = '', second = ''], one, other]) => ({ kind, first: one(first), second: other(second) }));
}

/** Mutations of every kind in both languages. */
export const mutations: fc.Arbitrary<Mutation> = fc.oneof(
  ...(['negated', 'number', 'date', 'product', 'direction'] as const).flatMap((kind) => [
    mutationsOf(kind, 'zh'),
    mutationsOf(kind, 'en'),
  ]),
);

/** The same question in other words, which no guard may refuse: without such pairs a guard that refuses all would look good. */
export const paraphrases: readonly (readonly [string, string])[] = [
  ['请问退款几天到账？', '退款几天能到账呢'],
  ['怎么更改还款卡', '如何更换还款卡'],
  ['怎么更换还款银行', '你好，我还款银行怎么更换'],
  ['借款三千元每天利息多少', '借款3000元每天利息是多少？'],
  ['什么时候到账', '多久能到账'],
  ['为什么登录不了', '怎么登陆不了'],
  ['２０２６年１１月２２日下单的什么时候发货', '2026-11-22下单的什么时候发货'],
  ['能不能取消订单', '可以取消订单吗'],
  ['從北京寄到上海要幾天', '从北京寄到上海要几天'],
  ['iPhone15 支持分期付款吗', '请问iphone15可以支持分期付款吗'],
  ['无法登录怎么办', '怎么办，无法登录'],
  ['How do I return the sofa?', 'how can I return my sofa'],
  ['Can I pay three thousand dollars by credit card?', 'Can I pay $3,000 by credit card'],
  ['What is the warranty on the kettle?', "What's the warranty of the kettle"],
  ['How long does shipping from Paris to Rome take?', 'How long does shipping take from Paris to Rome'],
  ['Is PPR-9087 in stock?', 'is ppr9087 in stock'],
  ["Why can't I log in?", 'why can I not log in'],
  ['Are you open on Nov 22?', 'Are you open on November 22nd?'],
];

/** A vocabulary without rare words, so that only the other guards can refuse: the worst case. */
export const knowsEverything = {
  questionCount: 1000,
  counts: Object.assign(new Map<string, number>(), { get: () => 1000 }),
  words: Object.assign(new Map<string, boolean>(), { get: () => true, has: () => true }),
};
