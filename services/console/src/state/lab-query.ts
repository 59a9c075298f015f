import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fusion, Leg, type RetrieveRequestSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { linkTo } from './sections.ts';

/** A search of the lab as its address has it: everything that the run depends on. */
export interface LabQuery {
  question: string;
  /** Empty: all. */
  corpora: readonly string[];
  /** Passages of the result, 1 to 100. */
  topK: number;
  /** Candidates of each leg, 1 to 200. */
  candidates: number;
  /** Weight of the vector leg, 0 to 1; `undefined`: that of the server. */
  vectorWeight: number | undefined;
  legs: 'both' | 'vector' | 'keyword';
  fusion: 'normalised' | 'rank';
  rerank: boolean;
  /** 0 to 1. */
  diversity: number;
  /** The user as whom it runs; empty: the caller. */
  user: string;
  groups: readonly string[];
  reason: string;
  /** Versions in place of the live ones, by corpus. */
  versions: readonly (readonly [corpus: string, version: bigint])[];
  /** The document that is explained; empty: none. */
  corpus: string;
  documentId: string;
}

/** A search that asks for nothing yet. */
export const emptyLabQuery: LabQuery = {
  question: '',
  corpora: [],
  topK: 8,
  candidates: 50,
  vectorWeight: undefined,
  legs: 'both',
  fusion: 'normalised',
  rerank: true,
  diversity: 0,
  user: '',
  groups: [],
  reason: '',
  versions: [],
  corpus: '',
  documentId: '',
};

/** Returns the address of a search in the lab. What has its default is not in it. */
export function linkToLab(query: Partial<LabQuery>): string {
  const { topK, candidates, vectorWeight, legs, fusion, rerank, diversity, ...rest } = { ...emptyLabQuery, ...query };
  const given: Record<string, string> = {
    q: rest.question,
    c: listText(rest.corpora),
    k: topK === emptyLabQuery.topK ? '' : String(topK),
    n: candidates === emptyLabQuery.candidates ? '' : String(candidates),
    w: vectorWeight === undefined ? '' : String(vectorWeight),
    legs: legs === 'both' ? '' : legs,
    fusion: fusion === 'rank' ? fusion : '',
    rerank: rerank ? '' : '0',
    d: diversity === 0 ? '' : String(diversity),
    as: rest.user,
    groups: listText(rest.groups),
    reason: rest.reason,
    v: listText(rest.versions.map(([corpus, version]) => `${corpus}:${version}`)),
    corpus: rest.corpus,
    doc: rest.documentId,
  };
  const parameters = new URLSearchParams(Object.entries(given).filter(([, value]) => value !== ''));
  return parameters.size === 0 ? linkTo('lab') : linkTo('lab', parameters.toString());
}

/** Returns the search of an address that {@link linkToLab} wrote; what cannot be read has its default. */
export function labQueryOf(text: string): LabQuery {
  const parameters = new URLSearchParams(text);
  const word = (name: string) => parameters.get(name) ?? '';
  const legs = word('legs');
  return {
    question: word('q'),
    corpora: toList(word('c')),
    topK: toNumber(word('k'), emptyLabQuery.topK, 1, 100, true),
    candidates: toNumber(word('n'), emptyLabQuery.candidates, 1, 200, true),
    vectorWeight: word('w') === '' ? undefined : toNumber(word('w'), 0.5, 0, 1),
    legs: legs === 'vector' || legs === 'keyword' ? legs : 'both',
    fusion: word('fusion') === 'rank' ? 'rank' : 'normalised',
    rerank: word('rerank') !== '0',
    diversity: toNumber(word('d'), 0, 0, 1),
    user: word('as'),
    groups: toList(word('groups')),
    reason: word('reason'),
    versions: toList(word('v')).flatMap((entry) => {
      const match = /^(.+):(\d{1,15})$/.exec(entry);
      return match === null ? [] : [[match[1] as string, BigInt(match[2] as string)] as const];
    }),
    corpus: word('corpus'),
    documentId: word('doc'),
  };
}

/** Returns the request of a search. */
export function toSearch(query: LabQuery): MessageInitShape<typeof RetrieveRequestSchema> {
  const { question, corpora, topK, candidates, vectorWeight, legs, fusion, rerank, diversity, versions } = query;
  return {
    query: question,
    corpora: [...corpora],
    topK,
    candidates,
    ...(vectorWeight !== undefined && { vectorWeight }),
    legs: legs === 'both' ? [] : [legs === 'vector' ? Leg.VECTOR : Leg.KEYWORD],
    fusion: fusion === 'rank' ? Fusion.RECIPROCAL_RANK : Fusion.UNSPECIFIED,
    // The server's own choice, unless it is switched off.
    ...(!rerank && { rerank: false }),
    diversity,
    versions: versions.map(([corpus, version]) => ({ corpus, version })),
  };
}

/** Returns the words of a list, separated by commas, without repeats. */
export function toList(text: string): string[] {
  const words = text.split(',').map((part) => part.trim());
  return [...new Set(words)].filter((word) => word !== '');
}

const listText = (words: readonly string[]) => words.join(',');

function toNumber(text: string, otherwise: number, least: number, most: number, isWhole = false): number {
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) return otherwise;
  return Math.min(most, Math.max(least, isWhole ? Math.round(value) : value));
}
