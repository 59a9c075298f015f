import type { Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';

/** A place of an answer and the page behind it, as OpenAI's chat completions name it. */
export interface UrlCitation {
  type: 'url_citation';
  url_citation: {
    /** Range of the marker in the answer, half-open, in UTF-16 code units. */
    start_index: number;
    end_index: number;
    url: string;
    title: string;
  };
}

/** Most annotations of an answer. */
const maxAnnotations = 1000;

/**
 * Returns an annotation for each marker of a citation that has an address, in the order of the text: what frameworks show as sources. A
 * document without an address has none; it is in `citations`.
 */
export function annotationsOf(text: string, citations: readonly Citation[]): UrlCitation[] {
  const cited = new Map(
    citations.filter(({ url }) => url !== '').map((citation) => [String(citation.marker), citation]),
  );
  if (cited.size === 0) return [];
  const annotations: UrlCitation[] = [];
  for (const { 0: marker, 1: number = '', index } of text.matchAll(/\[(\d{1,6})\]/g)) {
    const citation = cited.get(number);
    if (citation === undefined) continue;
    if (annotations.length >= maxAnnotations) break;
    const { url, title, documentId } = citation;
    annotations.push({
      type: 'url_citation',
      url_citation: { start_index: index, end_index: index + marker.length, url, title: title || documentId },
    });
  }
  return annotations;
}
