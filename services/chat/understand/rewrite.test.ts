import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CitationSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { threadCpuMs } from '#kit/testing/time.ts';
import { toStandalone as rewrite } from './rewrite.ts';

const toStandalone = (question: string, earlier: readonly string[]) =>
  rewrite(
    question,
    earlier.map((asked) => ({ question: asked, answer: '' })),
  );

const rewritten = (question: string, ...earlier: string[]) => toStandalone(question, earlier).text;

describe('a follow-up is made standalone', () => {
  test.each([
    // Another subject, if it is clear which word it replaces.
    ['退货的条件是什么？', '那换货呢？', '换货的条件是什么？'],
    ['退货要付运费吗', '换货也是吗', '换货要付运费吗'],
    ['国内订单多久发货？', '海外订单呢？', '海外订单多久发货？'],
    ['会员退货运费谁出', '那非会员呢', '非会员退货运费谁出'],
    ['LMP-2040 的保修期是多久', '那 VAC-3300 呢？', 'VAC-3300 的保修期是多久'],
    ['How long is the warranty of the LMP-2040?', 'and the VAC-3300?', 'How long is the warranty of the VAC-3300?'],
    // Another subject, otherwise.
    ['热水器怎么安装', '香水呢', '香水呢（热水器 安装）'],
    ['How do I return an item?', 'what about exchanges?', 'what about exchanges? (return item)'],
    ['How long does shipping take to Hong Kong?', 'And to Macau?', 'And to Macau? (long shipping take Hong Kong)'],
    ['How do I return a lamp?', 'what if it is damaged?', 'what if it is damaged? (return lamp)'],
    // A pronoun.
    ['PPR-9087 的保修期是多久', '它支持无理由退货吗？', '它支持无理由退货吗？（PPR-9087 保修期）'],
    ['增值税专用发票', '这个怎么申请', '这个怎么申请（增值税专用发票）'],
    ['信用卡付的款怎么退款', '那要多久到账？', '那要多久到账？（信用卡付 款 退款）'],
    ['Tell me about the LMP-2040 lamp', 'Can I return it?', 'Can I return it? (LMP-2040 lamp)'],
    ['Which couriers do you use?', 'Do they ship abroad?', 'Do they ship abroad? (couriers)'],
    ['Can I combine coupons?', 'How do I do that?', 'How do I do that? (combine coupons)'],
    // No subject at all.
    ['退货的流程是什么？', '需要多久？', '需要多久？（退货）'],
    ['以旧换新怎么操作', '多少钱', '多少钱（以旧换新 操作）'],
    ['退货被拒绝了', '为什么？', '为什么？（退货 拒绝）'],
    ['怎么联系人工客服', '还有其他方式吗', '还有其他方式吗（联系人工客服）'],
    ['Can I get a refund to my credit card?', 'How long does it take?', 'How long does it take? (refund credit card)'],
    ['Can I return underwear?', 'why not?', 'why not? (return underwear)'],
    ['Can I exchange curtains for another size?', 'Is it free?', 'Is it free? (exchange curtains size)'],
    // Across languages.
    ['PPR-9087 的保修期是多久', 'and the VAC-3300?', 'VAC-3300 的保修期是多久'],
    ['What is the warranty of the lamp?', '多久？', '多久？（warranty lamp）'],
  ])('%j, %j', (before, question, expected) => {
    expect(toStandalone(question, [before])).toEqual({ text: expected, isRewritten: true });
  });

  test('through several questions', () => {
    expect(rewritten('那海外呢', '退货要多久？', '那换货呢？')).toBe('那海外呢（换货要多久）');
    expect(rewritten('需要多久？', '退货的条件是什么？', '那换货呢？')).toBe('需要多久？（换货）');
    expect(rewritten('Is it free?', 'How do I return a lamp?', 'How long does it take?')).toBe(
      'Is it free? (return lamp)',
    );
  });
});

describe('a conversation', () => {
  test.each([
    [['退货要几天到账', '信用卡呢', '微信呢'], '微信呢（退货要几天到账）'],
    [['退货要几天到账', '信用卡呢', '微信呢', '那换货呢'], '换货要几天到账'],
    [['台灯多少钱', '不是这个，我问的是落地灯'], '落地灯多少钱'],
    [['会员积分怎么用，能不能抵现金', '过期了还能恢复吗'], '过期了还能恢复吗（会员积分 抵现金）'],
    [['LMP-2040 台灯保修多久', '有什么颜色？'], '有什么颜色？（LMP-2040 台灯保修）'],
    [['LMP-2040 台灯保修多久', '能寄到美国吗？'], '能寄到美国吗？（LMP-2040 台灯保修）'],
    [['LMP-2040 台灯保修多久', '有现货吗'], '有现货吗（LMP-2040 台灯保修）'],
    [['寄到美国要几天？', '要交税吗？'], '要交税吗？（寄到美国）'],
    [
      ['How much is the Heron desk lamp?', 'How long is the warranty on it?'],
      'How long is the warranty on it? (Heron desk lamp)',
    ],
    [['E-07 on the PPR-9087', 'And E-04?'], 'E-04 on the PPR-9087'],
    [['invoice for my company', 'Can you change the name on it?'], 'Can you change the name on it? (invoice company)'],
  ])('%j', (questions, expected) => {
    expect(rewritten(questions.at(-1) ?? '', ...questions.slice(0, -1))).toBe(expected);
  });

  test('about what the last answer cites: its title belongs to a question with a pronoun', () => {
    const citations = [create(CitationSchema, { marker: 1, title: 'Frank Zappa' })];
    const turns = [{ question: 'What group disbanded?', answer: 'The Mothers of Invention [1].', citations }];
    expect(rewrite('When did he die?', turns).text).toBe(
      'When did he die? (Frank Zappa Mothers Invention group disbanded)',
    );
  });
});

describe('a standalone question is not changed', () => {
  test.each([
    '退货的条件是什么？',
    '运费谁出？',
    '怎么退货呢？',
    '这个月有什么活动？',
    '其他地区可以配送吗',
    '那曲可以配送吗？',
    '我买的台灯坏了，它能保修吗？',
    '如果商品损坏了怎么办理退货？',
    '企业级实例的网络性能怎么样？',
    '去乌鲁木齐的快递满多少钱包邮',
    '因此产生的费用由谁承担',
    'PPR-9087 出现 E-07 自动关机',
    'How long do I have to send back unwashed bedding?',
    'Is it possible to return a lamp after 30 days?',
    'How long does it take to get a refund?',
    'If my order is late, can I cancel it?',
    'Do you have any offers this week?',
    'Can I return items that I bought in a store?',
    'What should I do when the lamp does not turn on and it smells?',
    'Are all instances charged the same price at the same time?',
    'warranty period of the motor',
    'refund policy',
    'Where is my parcel?',
  ])('%j', (question) => {
    const earlier = ['如何申请增值税专用发票？', 'How do I reset the password of my account?'];
    expect(toStandalone(question, earlier)).toEqual({ text: question, isRewritten: false });
    expect(toStandalone(question, [])).toEqual({ text: question, isRewritten: false });
  });

  test('nor is any question without one before it, or after one without a subject', () => {
    expect(rewritten('那换货呢？')).toBe('那换货呢？');
    expect(rewritten('多久？', '为什么？')).toBe('多久？');
    expect(rewritten('why?', '???')).toBe('why?');
  });
});

test('whatever is asked, what comes out is what was asked or contains the words of both, within the limit', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('那换货呢？', 'and the VAC-3300?', '它', 'it?', '多久'),
    fc.constantFrom('长'.repeat(4096), `${'long '.repeat(817)} A0`, `${'退货'.repeat(2040)} LMP-2040`),
  );
  fc.assert(
    fc.property(text, fc.array(text, { maxLength: 6 }), (question, earlier) => {
      const standalone = toStandalone(question, earlier);
      expect(standalone.text.length).toBeLessThanOrEqual(4096);
      expect(standalone.text === '').toBe(question === '');
      expect(standalone.isRewritten).toBe(standalone.text !== question);
    }),
  );
});

test.each(['那'.repeat(4096), 'it '.repeat(1365), 'a-1'.repeat(1365), '退货的'.repeat(1365)])(
  'a hostile question takes linear time',
  (text) => {
    const startedAt = threadCpuMs();
    toStandalone(text, [text, text, text, text]);
    toStandalone('那换货呢？', [text]);
    expect(threadCpuMs() - startedAt).toBeLessThan(3000);
  },
);
