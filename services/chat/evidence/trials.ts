import { createHash } from 'node:crypto';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Corpus } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';

/** A version of a corpus with a version on trial, to which a session is assigned. */
export interface TrialVersion {
  corpus: string;
  version: bigint;
  /** Whether it is the version on trial; else the live one. */
  isCandidate: boolean;
}

/** The corpora of a question, as its session sees them. */
export interface AssignedCorpora {
  /** Those at a version on trial have its number in their revision, so that no cache key is one of the live version. */
  corpora: readonly Corpus[];
  /** Of corpora with a version on trial; empty if no corpus has one. */
  trials: readonly TrialVersion[];
}

/** Returns by what a question is assigned to a version: by its session, else by its user. */
export function unitOf(sessionId: string, { tenant, user }: Pick<Principal, 'tenant' | 'user'>): string {
  return JSON.stringify(sessionId === '' ? [tenant, user] : [tenant, '', sessionId]);
}

// Keys of the cache are kept by the list of their corpora, so equal assignments are one list.
const assignedLists = new WeakMap<readonly Corpus[], Map<string, AssignedCorpora>>();

/**
 * Assigns a question to versions on trial: the same ones for the same `unit`, as long as the trial and its share last. Without a unit it is of no
 * trial, and asks the live versions.
 */
export function assignTrials(corpora: readonly Corpus[], unit: string | undefined): AssignedCorpora {
  if (unit === undefined || !corpora.some(({ trial }) => trial !== undefined)) return { corpora, trials: [] };
  const trials = corpora.flatMap(({ name, trial, liveVersion }): TrialVersion[] => {
    if (trial === undefined) return [];
    const isCandidate = isAssigned(`${name} ${trial.version} ${unit}`, trial.canaryPercent);
    return [{ corpus: name, version: isCandidate ? trial.version : liveVersion, isCandidate }];
  });
  let lists = assignedLists.get(corpora);
  if (lists === undefined) {
    lists = new Map();
    assignedLists.set(corpora, lists);
  }
  const key = trials.map(({ isCandidate }) => (isCandidate ? 1 : 0)).join('');
  const known = lists.get(key);
  if (known !== undefined) return known;
  const assigned = { corpora: corpora.map((corpus) => atTrial(corpus, trials)), trials };
  if (lists.size < maxLists) lists.set(key, assigned);
  return assigned;
}

/** Assignments of a list that are kept; 2^n of n trials. */
const maxLists = 64;

function atTrial(corpus: Corpus, trials: readonly TrialVersion[]): Corpus {
  const trial = trials.find((one) => one.isCandidate && one.corpus === corpus.name);
  if (trial === undefined) return corpus;
  return { ...corpus, liveVersion: trial.version, revision: `${corpus.revision}/${trial.version}` };
}

/** Returns whether a text is in a share of all texts: its hash decides, so that a larger share holds the smaller one. */
function isAssigned(text: string, percent: number): boolean {
  return createHash('sha256').update(text).digest().readUInt32BE(0) < (percent / 100) * 2 ** 32;
}
