import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { answerByQuoting } from './answer.ts';
import { FOREIGN_NOTE } from './write-out.ts';

const returns = {
  title: '退货与退款',
  headingPath: ['可退期限'],
  text: '从物流显示“已签收”的次日零点起计算：\n\n- 灯具、投影仪、小家电：15 天内，配件齐全。\n- 床品、窗帘等织物：30 天内，未下水、吊牌未剪。\n- 翻新机：10 天内。',
};
const refunds = {
  title: '退货与退款',
  headingPath: ['退款多久到账'],
  text: '仓库收到包裹后 3 个工作日内完成质检。之后的到账时间取决于支付方式：微信支付 1–2 个工作日；信用卡 5–10 个工作日。',
};
const codes = {
  title: 'VAC-3300 cordless vacuum',
  headingPath: ['Error display'],
  text: '- E-04 Airflow too low. Empty the cup.\n- E-07 Brush roller jammed. Switch off and cut the hair.\n- E-10 Battery not seated.',
};
const projector = {
  title: 'PPR-9087 projector',
  headingPath: ['Error codes'],
  text: '| Code | Meaning |\n|---|---|\n| E-07 | fan stalled |\n| E-09 | light source too hot |',
};
const starting = {
  title: 'Returns',
  headingPath: ['Starting a return'],
  text: 'Here is how:\n\n1. Open Orders and choose Return.\n2. Select a reason.\n3. Hand the parcel over.',
};
const all = passagesOf(refunds, returns, codes, projector, starting);
const answerTo = (question: string, evidence = all) => {
  const { isRefusal, pieces } = answerByQuoting(question, evidence);
  return { isRefusal, text: pieces.join('') };
};

describe('the answer quotes', () => {
  test.each([
    ['灯具几天内可以退货？', '从物流显示“已签收”的次日零点起计算：灯具、投影仪、小家电：15 天内，配件齐全。[2]'],
    ['信用卡退款多久到账', '信用卡 5–10 个工作日。[1]'],
    ['VAC-3300 error E-07', 'E-07 Brush roller jammed. Switch off and cut the hair. [3]'],
    ['PPR-9087 shows E-07, what does it mean?', 'Code: E-07; Meaning: fan stalled. [4]'],
  ])('what answers it: %s', (question, expected) => {
    const { isRefusal, text } = answerTo(question);
    expect(isRefusal).toBe(false);
    expect(text).toContain(expected);
    expect(text.match(/E-\d\d/g)?.every((code) => code === 'E-07') ?? true).toBe(true);
  });

  test('all the steps if the question asks how', () => {
    expect(answerTo('How do I start a return?').text).toContain(
      'Here is how:\n1. Open Orders and choose Return. [5]\n2. Select a reason. [5]\n3. Hand the parcel over. [5]',
    );
  });

  test('all the steps if the first of them is the answer to a problem that is named', () => {
    const lost = {
      title: 'IT help',
      headingPath: ['I forgot my password'],
      text: '1. Open id.example.org and choose "Forgot password".\n2. Enter the code that is sent to your phone.\n3. Choose a new password of 14 characters.',
    };
    const { text } = answerTo('I forgot my password', passagesOf(refunds, lost, codes));
    expect(text).toMatch(/1\. Open .*\n2\. Enter .*\n3\. Choose a new password/);
  });

  test('in the words of the customer what documents say in these and not in the usual ones', () => {
    const shipping = {
      title: 'Shipping',
      headingPath: [],
      text: 'Shipping takes three days and is free above 50 euros.',
    };
    expect(answerTo('How long does shipping take?', passagesOf(shipping)).text).toContain('three days');
  });

  test('the other language if only its passage has the code', () => {
    const evidence = passagesOf({ title: '床品', text: 'BED-2200 每批送检，甲醛含量未检出。' });
    expect(answerTo('formaldehyde report for BED-2200', evidence).text).toBe(
      'Only a document in Chinese answers this:\nBED-2200 每批送检，甲醛含量未检出。[1]',
    );
  });
});

describe('it refuses, in the language of the question,', () => {
  test.each([
    ['客服岗位的月薪是多少？', '现有资料中没有找到能回答这个问题的内容。'],
    ['Who is the chief executive?', 'The available documents do not answer this question.'],
    ['What does error E-21 on the VAC-3300 mean?', 'The available documents do not answer this question.'],
    ['PPR-9500 的亮度是多少？', '现有资料中没有找到能回答这个问题的内容。'],
    ['？', 'The available documents do not answer this question.'],
  ])('where the evidence does not answer: %s', (question, refusal) => {
    expect(answerTo(question)).toEqual({ isRefusal: true, text: refusal });
  });

  test('without evidence', () => {
    expect(answerTo('灯具几天内可以退货？', []).isRefusal).toBe(true);
  });
});

test('nothing in a document looks like a marker, or hides one', () => {
  const text =
    'The fee [2] is waived【3】 for `Gold members.\n\n```js\nfee[2] = 0; // waived fee for Gold members\n```\n(Gold members pay no fee.)';
  const { text: answer } = answerTo('fee for Gold members', passagesOf({ title: 'Fees', text }));
  const outsideCode = answer.replace(/```[\s\S]*?```/g, '');
  expect(outsideCode.match(/[[【]\d+[\]】]/g)?.every((marker) => marker === '[1]')).toBe(true);
  expect(outsideCode).not.toContain('`');
  expect(outsideCode).not.toContain('](');
});

test('every quoted text is in the passage that its marker names, whatever the question', () => {
  const fragments = all.flatMap(({ text }) => text.split('\n'));
  const text = fc.array(fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 30 })), { maxLength: 12 });
  const passage = fc.record({
    text: text.map((lines) => lines.join('\n')),
    title: fc.constantFrom('退货', 'Error codes', ''),
  });
  const question = fc.oneof(
    fc.constantFrom('E-07 怎么办', 'How do I start a return?', '信用卡退款多久到账', '床品几天内可以退'),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  fc.assert(
    fc.property(question, fc.array(passage, { maxLength: 6 }), (asked, values) => {
      const evidence = passagesOf(...values);
      const { isRefusal, pieces } = answerByQuoting(asked, evidence);
      if (isRefusal) return;
      let unmarked = '';
      for (const piece of pieces) {
        if (Object.values<string>(FOREIGN_NOTE).includes(piece.trim())) continue;
        const marker = /\[(\d+)\]$/.exec(piece);
        unmarked += marker === null ? piece : piece.slice(0, marker.index);
        if (marker === null) continue;
        const cited = evidence[Number(marker[1]) - 1];
        const source = new Set(normalizeText(`${cited?.title} ${cited?.text}`, foldTraditional));
        for (const character of normalizeText(unmarked, foldTraditional).replace(/[^\p{L}\p{N}]+/gu, '')) {
          expect(source).toContain(character);
        }
        unmarked = '';
      }
      expect(unmarked).toBe('');
    }),
    { numRuns: 300 },
  );
});

test('evidence of any size takes little time', () => {
  const evidence = passagesOf(
    ...Array.from({ length: 100 }, () => ({ title: 'x', text: '退货运费由买家承担。'.repeat(10_000) })),
  );
  const started = threadCpuMs();
  answerTo('退货运费由谁承担', evidence);
  expect(threadCpuMs() - started).toBeLessThan(1000);
});
