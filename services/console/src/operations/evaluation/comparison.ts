import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';

/** What a run changes. */
export const changes = ['rerank', 'vector', 'keyword', 'version'] as const;
export type Change = (typeof changes)[number];

/** What is compared. */
export interface Wanted {
  dataSet: string;
  /** Empty: all. */
  corpus: string;
  change: Change;
  /** Number of a version, for that change. */
  version: string;
}

/** Returns the run of a comparison: the live versions, with the change as their variant. */
export function runOf({ dataSet, corpus, change, version }: Wanted) {
  // Each question replaces the query.
  const live = { query: dataSet, corpora: corpus === '' ? [] : [corpus], waitForStages: true };
  const changed = {
    version: { ...live, versions: [{ corpus, version: BigInt(version || '0') }] },
    rerank: { ...live, rerank: false },
    vector: { ...live, legs: [Leg.KEYWORD] },
    keyword: { ...live, legs: [Leg.VECTOR] },
  }[change];
  return { dataSet, template: live, variants: [{ name: change, template: changed }], withQuestions: true };
}

/** Returns the name of a variant in the language of the page; its own name if another client has given it. */
export function changeName(name: string, names: Record<Change, string>): string {
  const change = changes.find((each) => each === name);
  return change === undefined ? name : names[change];
}
