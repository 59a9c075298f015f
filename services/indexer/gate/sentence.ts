import { type GateFinding, GateFindingKind } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';

/** The words of each kind. Clients in other languages have their own, by kind. */
const words: Record<GateFindingKind, (finding: GateFinding) => string> = {
  [GateFindingKind.UNSPECIFIED]: () => '',
  [GateFindingKind.AS_WRITTEN]: ({ count }) => `${count} documents are in the version as they were written`,
  [GateFindingKind.NOT_AS_WRITTEN]: ({ count }) => `${count} documents are not in the version as they were written`,
  [GateFindingKind.EMPTY]: ({ count, total }) =>
    `${count} of ${total} documents have no word: check how they were read`,
  [GateFindingKind.DOCUMENT_COUNT]: ({ live, checked }) => `${live} documents became ${checked}`,
  [GateFindingKind.CHUNK_COUNT]: ({ live, checked }) => `${live} chunks became ${checked}`,
  [GateFindingKind.LOSS]: ({ count }) => `a version that loses more than ${count} % needs an approval`,
  [GateFindingKind.ACCESS_KEPT]: ({ count }) => `${count} searches found what their access lists permit`,
  [GateFindingKind.NOTHING_TO_SEARCH]: () =>
    'nothing to search for: no document with an access list was written, and none was removed',
  [GateFindingKind.HIDDEN_FROM_READERS]: ({ count }) => `${count} documents are not found by their readers`,
  [GateFindingKind.FOUND_OUTSIDE]: ({ count }) =>
    `${count} documents are found by callers outside of their access lists`,
  [GateFindingKind.FOUND_REMOVED]: ({ count }) => `${count} documents are found although they were removed`,
  [GateFindingKind.NO_LOSS]: ({ count }) => `${count} questions show no significant loss`,
  [GateFindingKind.FIGURE_FELL]: ({ name, live, checked }) =>
    `${name} fell from ${live.toFixed(3)} to ${checked.toFixed(3)}`,
  [GateFindingKind.NO_LIVE_VERSION]: () => 'no version is live yet: the questions have nothing to be compared with',
  [GateFindingKind.NO_EVALUATION]: () =>
    'this process cannot reach the evaluation service: set its address, or change the gate',
  [GateFindingKind.NO_DATA_SET]: ({ name }) =>
    `there are no questions "${name}": store them with PutDataSet, or change the gate`,
  [GateFindingKind.CANARY]: ({ count }) => `on trial with ${count} % of the sessions: approve or reject it`,
  [GateFindingKind.SHADOW]: ({ count }) => `${count} % of the searches are made in it too`,
};

/** Returns the findings of a check in English. */
export function sentenceOf(findings: readonly GateFinding[]): string {
  return findings.map((finding) => words[finding.kind]?.(finding)).join('; ');
}
