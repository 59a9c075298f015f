import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { reportedMetrics } from '../runs/metrics.ts';

/** What a suite reports. */
export interface Figures {
  /** In the order of the scores of a question. Each is 0 to 1, and higher is better. */
  names: readonly string[];
  /** Those whose significant loss is a regression. */
  decisive: ReadonlySet<string>;
}

const ofAnswers: Figures = {
  names: ['Right', 'Not wrong', 'Refusal', 'Cited'],
  decisive: new Set(['Right', 'Not wrong']),
};

// The decisive ones also hold a version at its gate.
const ofRetrieval: Figures = {
  names: reportedMetrics.map(({ name }) => name),
  decisive: new Set(['nDCG@10', 'Hit@5']),
};

const ofOthers: Partial<Record<SuiteKind, Figures>> = {
  [SuiteKind.ANSWERS]: ofAnswers,
  [SuiteKind.CONVERSATIONS]: ofAnswers,
  [SuiteKind.ROUTER]: { names: ['Right act'], decisive: new Set(['Right act']) },
  [SuiteKind.VERIFIER]: { names: ['Right verdict', 'Margin'], decisive: new Set(['Right verdict']) },
  [SuiteKind.CACHE]: {
    names: ['Right match', 'No wrong match'],
    decisive: new Set(['Right match', 'No wrong match']),
  },
  [SuiteKind.PERSONAL_DATA]: { names: ['Found', 'Precision'], decisive: new Set(['Found', 'Precision']) },
};

/** Returns what is measured: retrieval if a request or a run of an earlier release names nothing. */
export const suiteOf = (suite: SuiteKind): SuiteKind => suite || SuiteKind.RETRIEVAL;

/** Returns the figures of a suite. */
export const figuresOf = (suite: SuiteKind): Figures => ofOthers[suite] ?? ofRetrieval;
