import { Code, type HandlerContext } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Feature, Leg, type RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import type { RetrievalSettings } from '../config.ts';
import { toRowFilter } from '../convert.ts';
import { type CorpusState, isVisible, type TenantState } from '../index/tenant-state.ts';
import { type AppliedTerms, withTerms, wordsOf } from '../index/terms.ts';
import { corpusNotFound, versionOf } from '../index/versions.ts';
import { vectorWeightOf } from './leg-weights.ts';
import { isLeg, type LegSearch } from './legs.ts';

/** A search, with every default in its place. */
export interface SearchPlan {
  /** Corpora that are searched. */
  corpora: readonly CorpusState[];
  legs: readonly Leg[];
  search: LegSearch;
  /** Weight of the vector leg, 0 to 1. */
  vectorWeight: number;
  topK: number;
  /** Candidates that are reranked; 0: none. */
  rerankCount: number;
  /** What the tenant's terms made of the question. */
  terms: AppliedTerms;
  hasTitles: boolean;
}

/** Share of the caller's remaining time that the legs may take together, so that something is left for what follows. */
const legsShare = 0.6;

const defaultTopK = 8;

/** Reads a request as `principal` may ask it. Throws where it names a corpus that is not there for them, or a revision to come. */
export function planSearch(
  settings: RetrievalSettings,
  state: TenantState,
  principal: Principal,
  request: RetrieveRequest,
  context: HandlerContext,
): SearchPlan {
  checkRevision(state, request.minRevision);
  const corpora = chooseCorpora(state, principal, request.corpora);
  const live = corpora.filter(({ live: version }) => version > 0);
  const spaces = live.map((corpus) => versionOf(corpus, corpus.live));
  const query = request.query.toWellFormed();
  const has = (feature: Feature) => !request.without.includes(feature);
  const terms = has(Feature.TERMS) ? state.terms.apply(query) : noneApplied;
  const models = live.map(({ name }, index) => ({ name, model: spaces[index]?.model ?? '' }));
  return {
    corpora,
    legs: chooseLegs(request),
    search: {
      tenant: principal.tenant,
      query,
      fullQuery: withTerms(query, terms),
      words: wordsOf(query, terms, { wordBorders: has(Feature.WORD_BORDERS) }),
      limit: Math.max(request.candidates || settings.candidates, request.topK),
      scope: {
        corpora: live.map(({ corpusId, live: version }) => ({ corpusId, version })),
        aclIds: state.aclIdsOf(principal),
        filter: toRowFilter(request.filter),
      },
      spaces,
      timeoutMs: shareOf(context, legsShare, settings.legTimeoutMs),
    },
    vectorWeight: request.vectorWeight ?? vectorWeightOf(settings, models),
    topK: request.topK || defaultTopK,
    rerankCount: (request.rerank ?? true) ? settings.rerankCandidates : 0,
    terms,
    hasTitles: has(Feature.TITLES),
  };
}

const noneApplied: AppliedTerms = { added: [], protectedTerms: [] };

/** `share` of the time that the caller has left, at most `longestMs`. */
export function shareOf(context: HandlerContext, share: number, longestMs: number): number {
  const leftMs = context.timeoutMs();
  return leftMs === undefined ? longestMs : Math.min(longestMs, Math.ceil(leftMs * share));
}

function chooseLegs({ legs: asked, useWeb }: RetrieveRequest): Leg[] {
  const own = asked.length === 0 ? [Leg.VECTOR, Leg.KEYWORD] : asked;
  const legs = [...new Set(useWeb ? [...own, Leg.WEB] : own)];
  if (!legs.every(isLeg)) throw invalidArgument('legs: unknown leg');
  return legs;
}

function chooseCorpora(state: TenantState, principal: Principal, asked: readonly string[]): CorpusState[] {
  if (asked.length === 0) return [...state.corpora.values()].filter((corpus) => isVisible(state, corpus, principal));
  return [...new Set(asked)].map((name) => {
    const corpus = state.corpora.get(name);
    if (corpus === undefined || !isVisible(state, corpus, principal)) throw corpusNotFound(name);
    return corpus;
  });
}

/** Throws ABORTED where the state is older than a revision that a write gave. */
function checkRevision(state: TenantState, minRevision: string): void {
  if (minRevision === '') return;
  const match = /^([0-9a-f]{8})-(\d{1,15})$/.exec(minRevision);
  if (match === null) throw invalidArgument(`min_revision: "${minRevision}" is no revision`);
  if (match[1] === state.epoch && Number(match[2]) <= state.revisionNumber) return;
  const message = `revision ${minRevision} is not here yet; the index is at ${state.revision || 'none'}`;
  throw rpcError(Code.Aborted, ErrorReason.REVISION_NOT_REACHED, message, { metadata: { revision: state.revision } });
}
