import { useCallback, useRef, useState } from 'react';
import type { Answer } from '../state/ask.ts';
import { citedMarkers, type Evidence, evidenceOf } from '../state/evidence.ts';

interface OpenedSource {
  /** Key of the answer that cites it. */
  key: string;
  evidence: Evidence;
}

/** The source that is open beside the conversation. */
export function useOpenedSource(answers: readonly Answer[]) {
  const [source, setSource] = useState<OpenedSource>();
  const opener = useRef<HTMLElement>(null);
  const citing = answers.find(({ key }) => key === source?.key);
  return {
    source,
    siblings: citing === undefined || source === undefined ? [] : siblingsOf(citing, source.evidence),
    open(answer: Answer, evidence: Evidence, element: HTMLElement) {
      opener.current = element;
      setSource({ key: answer.key, evidence });
    },
    /** Shows another source of the same answer. */
    show: (evidence: Evidence) => setSource((current) => current && { ...current, evidence }),
    clear: useCallback(() => setSource(undefined), []),
    /** Closes the panel and returns the focus to the element that opened it. */
    close() {
      setSource(undefined);
      opener.current?.focus();
    },
  };
}

/** Returns the sources that the answer cites; all of them if the opened one is not cited. */
function siblingsOf(answer: Answer, evidence: Evidence): Evidence[] {
  const all = evidenceOf(answer);
  const cited = citedMarkers(answer);
  return cited.has(evidence.marker) ? all.filter(({ marker }) => cited.has(marker)) : all;
}
