import { type GateFinding, GateFindingKind } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';

/** What a finding says; `figure` writes a figure between 0 and 1. */
type Words = Record<GateFindingKind, (finding: GateFinding, figure: (value: number) => string) => string>;

/** Findings of a gate in English. */
export const findingsEn: Words = {
  [GateFindingKind.UNSPECIFIED]: () => '',
  [GateFindingKind.AS_WRITTEN]: ({ count }) => `Documents that are in the version as they were written: ${count}`,
  [GateFindingKind.NOT_AS_WRITTEN]: ({ count }) =>
    `Documents that are not in the version as they were written: ${count}`,
  [GateFindingKind.EMPTY]: ({ count, total }) =>
    `Documents without a word: ${count} of ${total}. Check how they were read`,
  [GateFindingKind.DOCUMENT_COUNT]: ({ live, checked }) => `Documents: ${live} → ${checked}`,
  [GateFindingKind.CHUNK_COUNT]: ({ live, checked }) => `Chunks: ${live} → ${checked}`,
  [GateFindingKind.LOSS]: ({ count }) => `A version that loses more than ${count} % needs an approval`,
  [GateFindingKind.ACCESS_KEPT]: ({ count }) => `Searches that found what their access lists permit: ${count}`,
  [GateFindingKind.NOTHING_TO_SEARCH]: () =>
    'Nothing to search for: no document with an access list was written, and none was removed',
  [GateFindingKind.HIDDEN_FROM_READERS]: ({ count }) => `Documents that their readers do not find: ${count}`,
  [GateFindingKind.FOUND_OUTSIDE]: ({ count }) => `Documents that callers outside of their access lists find: ${count}`,
  [GateFindingKind.FOUND_REMOVED]: ({ count }) => `Removed documents that are still found: ${count}`,
  [GateFindingKind.NO_LOSS]: ({ count, name }) => `${name}: no significant loss (questions: ${count})`,
  [GateFindingKind.FIGURE_FELL]: ({ name, live, checked }, figure) =>
    `${name} fell from ${figure(live)} to ${figure(checked)}`,
  [GateFindingKind.NO_LIVE_VERSION]: () => 'No version is live yet: the questions have nothing to be compared with',
  [GateFindingKind.NO_EVALUATION]: () =>
    'The indexer cannot reach the evaluation service: set its address, or change the gate',
  [GateFindingKind.NO_DATA_SET]: ({ name }) =>
    `There are no questions “${name}”: import them under Evaluation, or change the gate`,
  [GateFindingKind.CANARY]: ({ count }) => `On trial with ${count} % of the sessions: approve or reject it`,
  [GateFindingKind.SHADOW]: ({ count }) => `${count} % of the searches are made in it too`,
};

/** Findings of a gate in Chinese. */
export const findingsZh: Words = {
  [GateFindingKind.UNSPECIFIED]: () => '',
  [GateFindingKind.AS_WRITTEN]: ({ count }) => `${count} 个文档的内容与写入一致`,
  [GateFindingKind.NOT_AS_WRITTEN]: ({ count }) => `${count} 个文档的内容与写入不一致`,
  [GateFindingKind.EMPTY]: ({ count, total }) => `${total} 个文档中有 ${count} 个没有文字，请检查解析结果`,
  [GateFindingKind.DOCUMENT_COUNT]: ({ live, checked }) => `文档数：${live} → ${checked}`,
  [GateFindingKind.CHUNK_COUNT]: ({ live, checked }) => `分块数：${live} → ${checked}`,
  [GateFindingKind.LOSS]: ({ count }) => `减少超过 ${count}% 的版本需要批准`,
  [GateFindingKind.ACCESS_KEPT]: ({ count }) => `${count} 次检索的结果均符合访问权限`,
  [GateFindingKind.NOTHING_TO_SEARCH]: () => '没有需要检查的内容：未写入带访问权限的文档，也未删除文档',
  [GateFindingKind.HIDDEN_FROM_READERS]: ({ count }) => `${count} 个文档有权限的用户检索不到`,
  [GateFindingKind.FOUND_OUTSIDE]: ({ count }) => `${count} 个文档可被无权限的用户检索到`,
  [GateFindingKind.FOUND_REMOVED]: ({ count }) => `${count} 个已删除的文档仍可被检索到`,
  [GateFindingKind.NO_LOSS]: ({ count, name }) => `${name}：${count} 个问题没有显著下降`,
  [GateFindingKind.FIGURE_FELL]: ({ name, live, checked }, figure) =>
    `${name} 从 ${figure(live)} 下降到 ${figure(checked)}`,
  [GateFindingKind.NO_LIVE_VERSION]: () => '还没有线上版本，评测问题无从对比',
  [GateFindingKind.NO_EVALUATION]: () => '索引服务无法连接评测服务：请设置其地址，或更改检查方式',
  [GateFindingKind.NO_DATA_SET]: ({ name }) => `没有名为“${name}”的问题集：请在“评测”中导入，或更改检查方式`,
  [GateFindingKind.CANARY]: ({ count }) => `正在试运行，回答 ${count}% 的会话：请批准或拒绝`,
  [GateFindingKind.SHADOW]: ({ count }) => `${count}% 的检索同时在该版本中进行`,
};
