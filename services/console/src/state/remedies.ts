import { type ExplainResponse, Verdict } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';

/** What can be done about a document that a search does not find, or not as it should. */
export type Remedy =
  /** Change the access list of the document. */
  | 'grant'
  /** Upload it, or let its source read it. */
  | 'upload'
  /** Read its original again. */
  | 'parse'
  /** Take back that a person has hidden it. */
  | 'show'
  /** Change what people have raised or lowered. */
  | 'boost'
  /** Approve the version that holds it, or make that one live again. */
  | 'version'
  /** Add words of the question to the terms of the tenant, beside words of the document. */
  | 'term'
  /** Change its text or title. */
  | 'edit'
  /** Write the answer to the question. */
  | 'curate'
  /** Search in its corpus too. */
  | 'corpus'
  /** Search without the filter. */
  | 'filter'
  /** Keep more candidates, or more passages. */
  | 'limits'
  /** Look at the passage that represents it. */
  | 'duplicate';

/** Returns what helps against a verdict, the first choice first. `isCurated`: the question gets a curated answer before any search. */
export function remediesOf(explanation: ExplainResponse, isCurated = false): Remedy[] {
  const { verdict, changedInVersion } = explanation;
  // A text that waits in a newer version makes edits of the old one needless.
  const isWaiting = changedInVersion > 0n && verdict !== Verdict.OTHER_VERSION;
  const first: Remedy[] = [...(isCurated ? (['curate'] as const) : []), ...(isWaiting ? (['version'] as const) : [])];
  return [...new Set([...first, ...remediesOfSearch(explanation)])];
}

function remediesOfSearch({ verdict, heldVersions, version, chunks, topK }: ExplainResponse): Remedy[] {
  const [best] = chunks;
  switch (verdict) {
    case Verdict.ABSENT:
      return ['upload', 'parse', 'curate'];
    case Verdict.NO_ACCESS:
      return ['grant', 'curate'];
    case Verdict.DELETED:
      return ['upload', 'curate'];
    case Verdict.NO_TEXT:
      return ['show', 'parse', 'curate'];
    case Verdict.OTHER_VERSION:
      // A newer version waits for its gate; an older one held what the live one has lost.
      return heldVersions.some((held) => held > version) ? ['version'] : ['version', 'upload'];
    case Verdict.OTHER_CORPUS:
      return ['corpus'];
    case Verdict.FILTERED:
      return ['filter'];
    case Verdict.NOT_FOUND:
      return ['term', 'edit', 'parse', 'curate'];
    case Verdict.BELOW_CANDIDATES:
      return isWithoutWords(best) ? withoutWords : ['term', 'edit', 'limits', 'curate'];
    case Verdict.DUPLICATE:
      return ['duplicate', 'edit'];
    case Verdict.BELOW_TOP_K:
      if (best !== undefined && best.rankWithoutBoosts > 0 && best.rankWithoutBoosts <= topK) {
        return ['boost', 'edit', 'limits', 'curate'];
      }
      return isWithoutWords(best) ? withoutWords : ['edit', 'limits', 'curate'];
    case Verdict.IN_RESULT:
      return ['edit', 'curate'];
    default:
      return [];
  }
}

/** A vector search ranks every text, also one in another language, of another meaning, or read with a wrong encoding. */
const withoutWords: Remedy[] = ['term', 'edit', 'parse', 'limits', 'curate'];

const isWithoutWords = (best: ExplainResponse['chunks'][number] | undefined) => best?.matchedWords.length === 0;

/** How good a verdict is for a document that should answer. */
export function toneOf(verdict: Verdict): 'good' | 'warning' | 'bad' {
  if (verdict === Verdict.IN_RESULT) return 'good';
  return verdict === Verdict.BELOW_TOP_K || verdict === Verdict.DUPLICATE ? 'warning' : 'bad';
}
