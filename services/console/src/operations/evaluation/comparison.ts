import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';

/** What a run of retrieval changes. */
export const changes = ['rerank', 'vector', 'keyword', 'version'] as const;
export type Change = (typeof changes)[number];

/** What is measured, in the order in which it is offered. */
export const suites = [
  SuiteKind.RETRIEVAL,
  SuiteKind.ANSWERS,
  SuiteKind.CONVERSATIONS,
  SuiteKind.ROUTER,
  SuiteKind.VERIFIER,
  SuiteKind.CACHE,
  SuiteKind.PERSONAL_DATA,
] as const;
/** Suites in which a model answers, so that two models can be compared. */
export const answerSuites: ReadonlySet<SuiteKind> = new Set([SuiteKind.ANSWERS, SuiteKind.CONVERSATIONS]);

/** Name of the variant with another model. */
const modelChange = 'model';

/** What is compared. */
export interface Wanted {
  dataSet: string;
  /** Empty: all. */
  corpus: string;
  change: Change;
  /** Number of a version, for that change. */
  version: string;
  /** Number of the version that it is compared with; empty: the live one. */
  firstVersion: string;
  suite: SuiteKind;
  /** Alias of a model to compare with; empty: none. */
  model: string;
  /** Alias of the model that it is compared with; empty: the default one. */
  firstModel: string;
}

/**
 * Returns the run of a comparison: the live versions, or another first one, with the change as their variant. Other suites than retrieval
 * compare models, or nothing.
 */
export function runOf(wanted: Wanted) {
  const { dataSet, corpus, change, version, firstVersion, suite, model, firstModel } = wanted;
  // Each question replaces the query.
  const live = { query: dataSet, corpora: corpus === '' ? [] : [corpus], waitForStages: true };
  if (suite !== SuiteKind.RETRIEVAL) {
    if (!answerSuites.has(suite)) return { dataSet, suite, template: live, variants: [], withQuestions: true };
    const isCompared = model !== '';
    const variants = isCompared ? [{ name: modelChange, template: live, model }] : [];
    return { dataSet, suite, template: live, variants, model: firstModel, withQuestions: true };
  }
  const versionOf = (number: string) => ({ ...live, versions: [{ corpus, version: BigInt(number) }] });
  const changed = {
    version: versionOf(version || '0'),
    rerank: { ...live, rerank: false },
    vector: { ...live, legs: [Leg.KEYWORD] },
    keyword: { ...live, legs: [Leg.VECTOR] },
  }[change];
  const first = change === 'version' && firstVersion !== '' ? versionOf(firstVersion) : live;
  return { dataSet, template: first, variants: [{ name: change, template: changed }], withQuestions: true };
}

/** Returns the name of a suite; runs of earlier releases are of retrieval. */
export const kindName = (suite: SuiteKind, { kinds }: { kinds: Record<number, string> }): string =>
  kinds[suite || SuiteKind.RETRIEVAL] ?? String(suite);

/** Returns the name of a variant in the language of the page; its own name if another client has given it. */
export function changeName(name: string, names: Record<Change | typeof modelChange, string>): string {
  const change = ([...changes, modelChange] as const).find((each) => each === name);
  return change === undefined ? name : names[change];
}
