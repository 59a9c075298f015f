import { create } from '@bufbuild/protobuf';
import { Language, type Passage, PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type Document, DocumentSchema } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';

/** A document of the stand-in server. */
export interface StandInDocument {
  document: Document;
  text: string;
  /** Whether customers may see it. */
  open: boolean;
}

const returnsText = `This page covers everything sold and shipped by the shop itself.

## How long you have

The clock starts on the day the carrier records delivery.

| What you bought | Return window | Condition |
|---|---|---|
| Lamps, projectors, small appliances | 15 days | complete, no damage |
| Textiles (bedding, curtains, throws) | 30 days | unwashed, tags attached |
| Any first-party item, Gold member | 30 days | as above |

Orders placed between 1 November and 24 December may be sent back until 15 January of the following year.

## What cannot be returned

- Curtains cut to your measurements, unless we cut them wrong.
- Pillows and mattress toppers once the inner seal is broken.
- Gift cards and activated extended-warranty plans.

## Starting a return

1. Open **Orders**, pick the order and choose *Return*.
2. Select a reason and, for a fault, add up to five photos.
3. You receive a return number such as \`RMA-26-004512\` and a prepaid label. The label works for 10 days.

## When the money arrives

Our warehouse inspects a parcel within 3 working days of receiving it and then releases the refund at once. The payment provider needs further time: debit cards 3–5 working days, credit cards 5–10.
`;

const refundsZhText = `本页适用于自营商品。

## 可退期限

从物流显示“已签收”的次日零点起计算：

- 灯具、投影仪、小家电：15 天内，配件齐全、无人为损坏。
- 床品、窗帘、毯子等织物：30 天内，未下水、吊牌未剪。
- 金线会员和铂光会员：所有自营商品统一放宽到 30 天。

## 运费由谁承担

商品有质量问题、发错或运输破损，来回运费由我们承担。因个人原因退货，大陆地区从退款中扣除 12 元；金线、铂光会员每个自然年有 6 次免运费退货。

## 退款多久到账

仓库收到包裹后 3 个工作日内完成质检并立即发起退款。之后的到账时间取决于支付方式：借记卡 3–5 个工作日；信用卡 5–10 个工作日。
`;

const limitsText = `Internal. Do not quote these figures to customers.

## Who may approve what

| Role | Refund with return | Goodwill |
|---|---|---|
| L1 agent | up to CNY 200 | up to CNY 50 |
| Team lead | up to CNY 3,000 | up to CNY 500 |

Limits are per order, not per line: splitting a refund to stay below a limit is a disciplinary matter.
`;

const describe = (
  documentId: string,
  title: string,
  language: Language,
  text: string,
  open = true,
): StandInDocument => ({
  document: create(DocumentSchema, {
    documentId,
    corpus: 'help',
    title,
    url: `https://shop.example.com/help/${documentId}`,
    language,
    length: text.length,
    chunkCount: 4,
  }),
  text,
  open,
});

/** Documents of the stand-in server. */
export const documents: readonly StandInDocument[] = [
  describe('returns', 'Returns and refunds', Language.EN, returnsText),
  describe('returns-zh', '退货与退款', Language.ZH, refundsZhText),
  describe('refund-limits', 'Refund approval limits', Language.EN, limitsText, false),
];

/** Returns a passage of a document, from its first words to its last. */
export function passageOf(documentId: string, from: string, to: string, headingPath: string[], scores = 1): Passage {
  const found = documents.find(({ document }) => document.documentId === documentId);
  if (found === undefined) throw new Error(`no document ${documentId}`);
  const { document, text } = found;
  const start = text.indexOf(from);
  const end = text.indexOf(to, start) + to.length;
  return create(PassageSchema, {
    chunkId: `help/${documentId}#${start}`,
    documentId,
    corpus: document.corpus,
    version: 3n,
    title: document.title,
    headingPath: [document.title, ...headingPath],
    text: text.slice(start, end),
    url: document.url,
    language: document.language,
    startOffset: start,
    endOffset: end,
    scores: { vector: 0.71 * scores, keyword: 8.42 * scores, fused: 0.93 * scores, rerank: 0.88 * scores },
  });
}
