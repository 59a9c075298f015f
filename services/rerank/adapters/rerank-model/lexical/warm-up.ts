import { create } from '@bufbuild/protobuf';
import { RerankCandidateSchema } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import type { RerankModel } from '../../../models/rerank-model.ts';

/** Candidates of a call, as many as a search has by default, and calls. */
const candidateCount = 30;
const callCount = 20;
const chinese =
  '登录后在“我的账号”里选择“安全设置”，按提示修改密码；订单 12-34 的退款在 3 个工作日内到账，运费由卖家承担。如需帮助，请联系客服。';
const english =
  'Open the settings of your account, choose a new password and confirm it by mail. A refund of 25.50 EUR for order AB-1234 arrives ' +
  'within three working days; the seller pays the postage. Contact us if you need help.';
const parts = `${chinese}${english}`.split(/(?<=[，。；.,;])|(?<= )/u);
// Words in ever other orders: the code sees as many kinds of texts as those of a corpus.
const mixed = (seed: number) =>
  parts.map((_, index) => parts[(index * (2 * seed + 1) + seed * 7) % parts.length] as string).join('');
// The engine compiles an expression for texts with and without other than Latin letters apart, and real texts are of all three kinds.
const texts = [chinese, english, `${chinese}${english}`];
const questions = [
  '如何修改密码，什么时候退款',
  'how do I get a refund of my order',
  '如何修改密码 how do I get refund',
];

/** Scores made-up passages, so that the first call of the process finds compiled code: some 125 ms of CPU. */
export async function warmUp(model: Pick<RerankModel, 'rerank'>): Promise<void> {
  const { signal } = new AbortController();
  for (let count = 0; count < callCount; count++) {
    const question = questions[count % questions.length] as string;
    // Texts that were read before are not read again.
    const candidates = Array.from({ length: candidateCount }, (_, index) => {
      const seed = count * candidateCount + index;
      const text = texts[index % texts.length] as string;
      return create(RerankCandidateSchema, {
        text: index % 2 === 0 ? `${seed} ${text.repeat(1 + (index % 4))}` : mixed(seed),
        title: text === chinese ? `帮助 ${index} › 账号` : `Help ${index} › Account`,
        prior: 0.5,
      });
    });
    for await (const _ of model.rerank(question, candidates, signal, () => ({})));
  }
}
