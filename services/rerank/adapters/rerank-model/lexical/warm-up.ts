import { create } from '@bufbuild/protobuf';
import { RerankCandidateSchema } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import type { RerankModel } from '../../../models/rerank-model.ts';

/** Candidates of a call, as many as a search has by default, and calls. */
const candidateCount = 30;
const callCount = 3;
const text =
  '登录后在“我的账号”里选择“安全设置”，按提示修改密码；订单 12-34 的退款在 3 个工作日内到账。Open the settings of your account, choose a new ' +
  'password and confirm it by mail. A refund of 25.50 EUR for order AB-1234 arrives within three working days.';

/** Scores made-up passages, so that the first call of the process finds compiled code: some 30 ms of CPU. */
export async function warmUp(model: Pick<RerankModel, 'rerank'>): Promise<void> {
  const candidates = Array.from({ length: candidateCount }, (_, index) =>
    create(RerankCandidateSchema, {
      text: `${index} ${text.repeat(1 + (index % 3))}`,
      title: `Help ${index}`,
      prior: 0.5,
    }),
  );
  const { signal } = new AbortController();
  for (let count = 0; count < callCount; count++) {
    for await (const _ of model.rerank(`如何修改密码 how do I get refund ${count}`, candidates, signal, () => ({})));
  }
}
