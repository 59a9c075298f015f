import { Code } from '@connectrpc/connect';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Feature, Leg, type RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import { isInCorpora } from '#kit/rpc/access.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { isLexicalModel } from '#kit/text/lexical-model.ts';
import type { RetrievalSettings } from '../config.ts';
import { detectedLanguage, toRowFilter } from '../convert.ts';
import type { CorpusView, IndexView } from '../index/index-view.ts';
import { corpusNotFound, requireVersion, versionNotFound } from '../index/require.ts';
import { type AppliedTerms, withTerms, wordsOf } from '../index/terms.ts';
import { atTrials } from '../trials/trial.ts';
import { vectorWeightOf } from './leg-weights.ts';
import { isLeg, type LegSearch } from './legs.ts';
import type { Viewer } from './viewer.ts';

/** A search with all defaults applied. */
export interface SearchPlan {
  /** Corpora that are searched. */
  corpora: readonly CorpusView[];
  legs: readonly Leg[];
  search: LegSearch;
  /** Weight of the vector leg, 0 to 1. */
  vectorWeight: number;
  topK: number;
  /** Candidates that are reranked; 0: none. */
  rerankCount: number;
  /** Longest time of the rerank, in milliseconds; the call may have less. */
  rerankTimeoutMs: number;
  /** The tenant's terms that the question contains. */
  terms: AppliedTerms;
  hasTitles: boolean;
  /** Language of the question if vectors find passages in other languages as well; UNSPECIFIED: they do not, or it is not known. */
  crossLanguage: Language;
}

/** Share of the caller's remaining time that the legs may use, so that time is left for the later stages. */
const legsShare = 0.6;

/** Longest time of a stage that the call waits for, in milliseconds; the deadline of the call is usually shorter. */
const longestStageMs = 60_000;

const defaultTopK = 8;

/**
 * Returns the search that a request describes, limited to what the principal of `viewer` may see. Throws NOT_FOUND for a corpus that the
 * principal may not see, unless the caller is an operator, PERMISSION_DENIED for versions that the caller may not name, and ABORTED if the index has not reached the
 * requested revision.
 */
export function planSearch(
  settings: RetrievalSettings,
  view: IndexView,
  viewer: Viewer,
  request: RetrieveRequest,
  context: CallContext,
): SearchPlan {
  checkRevision(view, request.minRevision);
  const { principal } = viewer;
  const corpora = atTrials(
    atVersions(chooseCorpora(view, viewer, request.corpora), viewer, request.versions),
    request.trialVersions,
  );
  const live = corpora.filter(({ live: version }) => version > 0);
  const spaces = live.map((corpus) => requireVersion(corpus, corpus.live));
  const query = request.query.toWellFormed();
  const has = (feature: Feature) => !request.without.includes(feature);
  const terms = has(Feature.TERMS) ? view.terms.apply(query) : noneApplied;
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
      scope: { ...view.visibility.scopeOf(live, principal), filter: toRowFilter(request.filter) },
      spaces,
      timeoutMs: shareOf(context, legsShare, request.waitForStages ? longestStageMs : settings.legTimeoutMs),
    },
    vectorWeight: request.vectorWeight ?? vectorWeightOf(settings, models),
    topK: request.topK || defaultTopK,
    rerankCount: (request.rerank ?? reranks(settings, live)) ? settings.rerankCandidates : 0,
    rerankTimeoutMs: request.waitForStages ? longestStageMs : settings.rerankTimeoutMs,
    terms,
    hasTitles: has(Feature.TITLES),
    crossLanguage: models.some(({ model }) => isLexicalModel(model)) ? Language.UNSPECIFIED : detectedLanguage(query),
  };
}

const noneApplied: AppliedTerms = { added: [], protectedTerms: [] };

/** Reports whether a search in these corpora is reranked. */
function reranks({ notReranked }: RetrievalSettings, corpora: readonly CorpusView[]): boolean {
  return corpora.length === 0 || corpora.some(({ name }) => !notReranked.has(name));
}

/** Returns a share of the caller's remaining time in milliseconds, at most `longestMs`. */
export function shareOf(context: CallContext, share: number, longestMs: number): number {
  const leftMs = context.timeoutMs();
  return leftMs === undefined ? longestMs : Math.min(longestMs, Math.ceil(leftMs * share));
}

function chooseLegs({ legs: requested, useWeb }: RetrieveRequest): Leg[] {
  const own = requested.length === 0 ? [Leg.VECTOR, Leg.KEYWORD] : requested;
  const legs = [...new Set(useWeb ? [...own, Leg.WEB] : own)];
  if (!legs.every(isLeg)) throw invalidArgument('legs: unknown leg');
  return legs;
}

function chooseCorpora(
  { corpora, visibility }: IndexView,
  { principal, isOperator }: Viewer,
  requested: readonly string[],
): CorpusView[] {
  if (requested.length === 0) return [...corpora.values()].filter((corpus) => visibility.isVisible(corpus, principal));
  return [...new Set(requested)].map((name) => {
    const corpus = corpora.get(name);
    if (corpus === undefined || !isInCorpora(principal, name)) throw corpusNotFound(name);
    // An operator looks for what is lost, also as a user who sees nothing of a corpus: the search finds nothing there.
    if (!isOperator && !visibility.isVisible(corpus, principal)) throw corpusNotFound(name);
    return corpus;
  });
}

/** Returns the corpora at the versions that the request names. Their rows have the access lists of these versions. */
function atVersions(
  corpora: CorpusView[],
  { mayName }: Viewer,
  wanted: readonly { corpus: string; version: bigint }[],
): CorpusView[] {
  if (wanted.length === 0) return corpora;
  if (mayName === 'none') {
    const message = 'versions: only operators search a version that is not live: leave it empty';
    throw rpcError(Code.PermissionDenied, ErrorReason.ROLE_MISSING, message, { metadata: { role: 'operator' } });
  }
  const versions = new Map(wanted.map(({ corpus, version }) => [corpus, Number(version)]));
  return corpora.map((corpus) => {
    const named = versions.get(corpus.name);
    if (named === undefined) return corpus;
    const { version, publishedMs } = requireVersion(corpus, named);
    if (mayName === 'published' && publishedMs === undefined) throw versionNotFound(corpus.name, named);
    return { ...corpus, live: version };
  });
}

/** Throws ABORTED if the view is older than a revision that a write returned. */
function checkRevision(view: IndexView, minRevision: string): void {
  if (minRevision === '') return;
  const match = /^([0-9a-f]{8})-(\d{1,15})$/.exec(minRevision);
  if (match === null)
    throw invalidArgument(`min_revision: "${minRevision}" is not a revision: use the one that a write returned`);
  if (match[1] === view.epoch && Number(match[2]) <= view.revisionNumber) return;
  const message = `revision ${minRevision} is not reached, the index is at ${view.revision || 'none'}: try again shortly`;
  throw rpcError(Code.Aborted, ErrorReason.REVISION_NOT_REACHED, message, { metadata: { revision: view.revision } });
}
