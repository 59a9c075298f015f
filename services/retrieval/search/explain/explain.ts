import { create } from '@bufbuild/protobuf';
import {
  type ExplainRequest,
  type ExplainResponse,
  ExplainResponseSchema,
  type RetrieveRequest,
  Verdict,
} from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import { isInCorpora } from '#kit/rpc/access.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { TracedChunk } from '../../catalog/passages.ts';
import { accessOf } from '../../convert.ts';
import type { CorpusView } from '../../index/index-view.ts';
import { readIndex } from '../../index/read-index.ts';
import type { Hit, SearchScope } from '../../stores/index-row.ts';
import { type LegOutcome, type LegSearch, runLeg } from '../legs.ts';
import { planSearch, type SearchPlan } from '../plan.ts';
import type { SearchDeps } from '../search.ts';
import { selectPassages } from '../select/select.ts';
import { type Viewer, viewerOf } from '../viewer.ts';
import { byFurthest, pathOf, summaryOf } from './path.ts';

/** Ranks of a leg that are read; sqlite-vec returns 4096 at most. */
const legDepth = 4000;

/** Chunks of a document that are followed. */
const maxChunks = 10;

/** Chunks of a document, over all versions, that are read. */
const maxTraced = 2000;

/**
 * Follows a document through a search, and returns its outcome at each stage. A document that the principal of `viewer` may not see is
 * reported as absent, with the same fields and at the same cost as one that does not exist; only an operator learns the difference.
 */
export async function explain(
  deps: SearchDeps,
  { search: request, corpus: corpusName, documentId }: Pick<ExplainRequest, 'search' | 'corpus' | 'documentId'>,
  context: CallContext,
  viewer: Viewer = viewerOf(context.principal),
): Promise<ExplainResponse> {
  if (request === undefined) throw invalidArgument('search: is missing');
  const { principal, isOperator } = viewer;
  return readIndex(deps.indices, context, async (view) => {
    const plan = planSearch(deps.settings, view, viewer, request, context);
    const known = plan.corpora.find(({ name }) => name === corpusName) ?? view.corpora.get(corpusName);
    const isKnown = known !== undefined && isInCorpora(principal, known.name);
    const corpus = isKnown && (isOperator || view.visibility.isVisible(known, principal)) ? known : undefined;
    const chunks = corpus === undefined ? [] : await readTrace(deps, plan, corpus, documentId, context.signal);
    const answer = create(ExplainResponseSchema, {
      version: BigInt(corpus?.live ?? 0),
      topK: plan.topK,
      candidateLimit: plan.search.limit,
      rerankLimit: plan.rerankCount,
      addedTerms: [...plan.terms.added],
    });
    const aclIds = new Set(plan.search.scope.aclIds);
    const live = chunks.filter(({ addedIn, removedIn }) => isIn(corpus?.live ?? 0, addedIn, removedIn));
    const visible = live.filter(({ aclId }) => aclIds.has(aclId));
    if (isOperator && corpus !== undefined) addOperatorFields(answer, corpus, chunks, live);
    if (corpus === undefined || visible.length === 0) {
      answer.verdict = Verdict.ABSENT;
      if (isOperator && corpus !== undefined) {
        answer.verdict = await operatorVerdict(deps, plan.search.tenant, corpus, documentId, chunks, live);
      }
    } else if (!plan.corpora.some(({ corpusId }) => corpusId === corpus.corpusId)) {
      answer.verdict = Verdict.OTHER_CORPUS;
    } else if (!(await passesFilter(deps, plan, corpus, visible, context))) {
      answer.verdict = Verdict.FILTERED;
    } else {
      await follow(deps, plan, request, visible, answer, context);
    }
    answer.summary = summaryOf(answer);
    return answer;
  });
}

const isIn = (version: number, addedIn: number, removedIn: number) => addedIn <= version && version < removedIn;

// Reads the document whether the caller may see it or not, so that the time does not reveal it.
const readTrace = (
  { catalog }: SearchDeps,
  { search }: SearchPlan,
  { corpusId }: CorpusView,
  documentId: string,
  signal: AbortSignal,
) => catalog.passages.trace(search.tenant, corpusId, documentId.toWellFormed(), maxTraced, signal);

function addOperatorFields(
  answer: ExplainResponse,
  { versions, live: searched = 0 }: CorpusView,
  chunks: readonly TracedChunk[],
  live: readonly TracedChunk[],
): void {
  const holds = ({ version }: { version: number }) =>
    chunks.some(({ addedIn, removedIn }) => isIn(version, addedIn, removedIn));
  answer.heldVersions = versions
    .filter(holds)
    .map(({ version }) => BigInt(version))
    .reverse();
  const changes = chunks.map(({ addedIn }) => addedIn).filter((version) => version > searched && holds({ version }));
  answer.changedInVersion = BigInt(Math.max(0, ...changes));
  const [first] = live.length > 0 ? live : chunks;
  if (first !== undefined) {
    answer.access = accessOf(first.groups);
  }
}

/** Returns why the caller does not get a document. */
async function operatorVerdict(
  deps: SearchDeps,
  tenant: string,
  corpus: CorpusView,
  documentId: string,
  chunks: readonly TracedChunk[],
  live: readonly TracedChunk[],
): Promise<Verdict> {
  if (await isBeingPurged(deps, tenant, corpus, documentId)) return Verdict.DELETED;
  if (live.length > 0) return Verdict.NO_ACCESS;
  if (await isListed(deps, tenant, corpus, documentId)) return Verdict.NO_TEXT;
  return chunks.length > 0 ? Verdict.OTHER_VERSION : Verdict.ABSENT;
}

async function isBeingPurged(
  { catalog }: SearchDeps,
  tenant: string,
  { corpusId }: CorpusView,
  documentId: string,
): Promise<boolean> {
  const { purges } = await catalog.versions.load(tenant);
  return purges.some((purge) => purge.corpusId === corpusId && purge.documentId === documentId);
}

/** Returns whether the searched version has the document, with or without text. */
async function isListed(
  { catalog }: SearchDeps,
  tenant: string,
  { corpusId, live }: CorpusView,
  documentId: string,
): Promise<boolean> {
  if (live === undefined) return false;
  return (await catalog.documents.countDocuments(tenant, corpusId, live, [documentId.toWellFormed()])) > 0;
}

/** Returns a scope with only one document. */
function onlyDocument(scope: SearchScope, corpusId: number, documentId: string, keepsFilter: boolean): SearchScope {
  const filter = scope.filter;
  const none = {
    documentIds: [documentId],
    languages: [],
    attributes: [],
    updatedFromMs: undefined,
    updatedBeforeMs: undefined,
  };
  return {
    ...scope,
    corpora: scope.corpora.filter((corpus) => corpus.corpusId === corpusId),
    filter: keepsFilter && filter !== undefined ? { ...filter, documentIds: [documentId] } : none,
  };
}

// Only the stores have attributes and times, so this searches a store for the document under the filter: by the document's own words,
// then by any vector, because a vector search always has a nearest row.
async function passesFilter(
  { vectors, keywords }: SearchDeps,
  { search }: SearchPlan,
  { corpusId }: CorpusView,
  chunks: readonly TracedChunk[],
  { signal }: CallContext,
): Promise<boolean> {
  const { filter } = search.scope;
  const [first] = chunks;
  if (filter === undefined || first === undefined) return true;
  if (filter.documentIds.length > 0 && !filter.documentIds.includes(first.documentId)) return false;
  const scope = onlyDocument(search.scope, corpusId, first.documentId, true);
  const text = chunks
    .slice(0, maxChunks)
    .map((chunk) => `${chunk.title}\n${chunk.text.slice(0, 500)}`)
    .join('\n');
  if ((await keywords.search(search.tenant, { text, scope, limit: 1 }, signal)).length > 0) return true;
  const space = search.spaces[search.scope.corpora.findIndex((corpus) => corpus.corpusId === corpusId)];
  if (space === undefined) return false;
  const vector = new Float32Array(space.dimensions);
  vector[0] = 1;
  return (await vectors.search(search.tenant, { space, vector, scope, limit: 1 }, signal)).length > 0;
}

async function follow(
  deps: SearchDeps,
  plan: SearchPlan,
  request: RetrieveRequest,
  chunks: readonly TracedChunk[],
  answer: ExplainResponse,
  context: CallContext,
): Promise<void> {
  const [{ corpusId, documentId }] = chunks as [TracedChunk];
  const run = (search: LegSearch) =>
    Promise.all(plan.legs.map((leg) => runLeg(deps, leg, search, context, context.signal)));
  const alone = { ...plan.search, scope: onlyDocument(plan.search.scope, corpusId, documentId, false), limit: 1000 };
  // The second search is for the document alone: it gives the scores below the depth.
  const [deep, own] = await Promise.all([run({ ...plan.search, limit: legDepth }), run(alone)]);
  const cut = deep.map((outcome): LegOutcome => ({ ...outcome, hits: outcome.hits.slice(0, plan.search.limit) }));
  const selection = await selectPassages(
    deps,
    plan,
    { ...request, neighbours: 0, sectionTokens: 0 } as RetrieveRequest,
    cut,
    context,
  );
  const ownScores = own.map(({ leg, hits }) => ({ leg, hits: new Map(hits.map((hit: Hit) => [hit.key, hit.score])) }));
  const paths = chunks.map((chunk) => pathOf(chunk, { plan, deep, own: ownScores, selection, depth: legDepth }));
  answer.chunks = byFurthest(paths).slice(0, maxChunks);
  answer.verdict = answer.chunks[0]?.verdict ?? Verdict.NOT_FOUND;
  answer.degradations = [
    ...deep.flatMap(({ degradation }) => (degradation === undefined ? [] : [degradation])),
    ...(selection.degradation === undefined ? [] : [selection.degradation]),
  ];
}
