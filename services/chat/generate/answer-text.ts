import { create } from '@bufbuild/protobuf';
import {
  AnswerDefect,
  ClaimFault,
  SentenceAction,
  SentenceSupport,
  UnsupportedClaimSchema,
  VerdictsSchema,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type AskEvent, citation, textDelta } from '../answer/events.ts';
import { actionFor, type VerificationPolicy } from '../verify/policy.ts';
import { quotationFor } from '../verify/quotation.ts';
import { createRunawayWatch } from '../verify/runaway.ts';
import { createSentenceReader, type EndedSentence } from '../verify/sentence-reader.ts';
import { markersOf } from '../verify/sentences.ts';
import type { ModelVerifier } from '../verify/support-by-model.ts';
import type { FindUnwanted } from '../verify/unwanted.ts';
import type { SentenceCheck, Verifier } from '../verify/verifier.ts';
import { createCitationScanner, type Scanned } from './citations.ts';

/** What the text of an answer is made from and compared with. */
export interface AnswerTextParts {
  passages: readonly Passage[];
  /** Compares a sentence with its passages, perhaps by a model. */
  verify: Verifier | ModelVerifier;
  findUnwanted: FindUnwanted;
  /** What becomes of sentences without support; `undefined` for a model that only quotes, whose sentences are only annotated. */
  policy: VerificationPolicy | undefined;
  maxTokens: number;
  /** Length of the text of the answer that is shown already, in UTF-16 code units. */
  shownLength: number;
}

/** The text of one generation, sentence by sentence. */
export interface AnswerText {
  /** Takes text as the model writes it; returns the events of the sentences that it ends. */
  push(delta: string): Promise<AskEvent[]>;
  /** The model has ended: returns the events of the rest. */
  end(): Promise<AskEvent[]>;
  isShown(): boolean;
  /** What this generation has shown. */
  written(): string;
  /** Length of the answer with it, in UTF-16 code units. */
  length(): number;
  /** Whether a sentence was withheld. */
  isWithheld(): boolean;
  /** Why the generation must stop. */
  runaway(): AnswerDefect | undefined;
  sizeBytes(): number;
}

/**
 * Turns the deltas of one generation into text, citations and verdicts. A sentence is held until its end is known, and compared with its
 * passages before it is shown.
 */
export function createAnswerText(parts: AnswerTextParts): AnswerText {
  const { passages, findUnwanted, policy } = parts;
  const scanner = createCitationScanner(passages.length);
  const reader = createSentenceReader(passages.length);
  const watch = createRunawayWatch(parts.maxTokens);
  // Of the scanner: numbers in code are none.
  const named = new Set<number>();
  const cited = new Set<number>();
  let lead = parts.shownLength === 0 ? '' : '\n\n';
  let length = parts.shownLength;
  let shown = '';
  let sizeBytes = 0;
  let isShown = false;
  let isWithheld = false;

  function noteMarkers({ markers, droppedCount }: Scanned): AskEvent[] {
    for (const marker of markers) named.add(marker);
    return droppedCount === 0 ? [] : [{ case: 'defect', value: AnswerDefect.MARKER_OUT_OF_RANGE }];
  }

  async function showAll(sentences: readonly EndedSentence[]): Promise<AskEvent[]> {
    const events: AskEvent[] = [];
    for (const sentence of sentences) if (watch.defect() === undefined) events.push(...(await show(sentence)));
    return events;
  }

  async function show({ text: written, markers }: EndedSentence): Promise<AskEvent[]> {
    if (isBlank(written)) {
      // Blanks and markers before the first word are shown with it: without a word, a text is no answer.
      if (isShown) return append(written);
      lead += written;
      return [];
    }
    if (watch.onSentence(written)) return [];
    const text = lead + written;
    const leading = markersOf(lead, passages.length);
    lead = '';
    const given = [...new Set([...leading, ...markers])].filter((marker) => named.has(marker));
    const unwanted = policy === undefined ? undefined : findUnwanted(text);
    if (unwanted !== undefined) {
      const check: SentenceCheck = { support: SentenceSupport.UNSUPPORTED, score: 0, fault: ClaimFault.SUPPORT };
      return [{ case: 'defect', value: unwanted }, ...withhold(check, given)];
    }
    const check = await parts.verify(text, given);
    if (check === undefined) return append(text);
    const action = policy === undefined ? SentenceAction.ANNOTATE : actionFor(policy, check.fault);
    switch (action) {
      case SentenceAction.WITHHOLD:
        return withhold(check, given);
      case SentenceAction.QUOTE: {
        const quotation = quotationFor(text, given, passages);
        if (quotation === undefined) return withhold(check, given);
        const space = /^\s*/.exec(text)?.[0] ?? '';
        // It is said already.
        if (watch.onSentence(quotation)) return withhold(check, given);
        return [...append(space + quotation, { check, markers: given, action })];
      }
      default:
        return append(text, { check, markers: given, action: SentenceAction.ANNOTATE });
    }
  }

  interface Verdict {
    check: SentenceCheck;
    markers: readonly number[];
    action: SentenceAction;
  }

  function append(text: string, verdict?: Verdict): AskEvent[] {
    const start = length + (text.length - text.trimStart().length);
    length += text.length;
    shown += text;
    isShown = true;
    const events: AskEvent[] = [textDelta(text)];
    for (const marker of markersOf(text, passages.length)) {
      const passage = passages[marker - 1];
      if (passage === undefined || cited.has(marker) || !named.has(marker)) continue;
      cited.add(marker);
      const { chunkId, documentId, title, url, corpus, version, regions } = passage;
      const page = regions[0]?.page ?? 0;
      events.push(citation({ marker, chunkId, documentId, title, url, corpus, version, page }));
    }
    if (verdict !== undefined) events.push(verdictOf(verdict, start, length - (text.length - text.trimEnd().length)));
    return events;
  }

  function withhold(check: SentenceCheck, markers: readonly number[]): AskEvent[] {
    isWithheld = true;
    return [verdictOf({ check, markers, action: SentenceAction.WITHHOLD }, length, length)];
  }

  return {
    async push(delta) {
      sizeBytes += Buffer.byteLength(delta);
      const scanned = scanner.push(delta);
      const events = [...noteMarkers(scanned), ...(await showAll(reader.push(scanned.text)))];
      watch.onText(delta);
      return events;
    },
    async end() {
      const scanned = scanner.end();
      return [...noteMarkers(scanned), ...(await showAll([...reader.push(scanned.text), ...reader.end()]))];
    },
    isShown: () => isShown,
    written: () => shown,
    length: () => length,
    isWithheld: () => isWithheld,
    runaway: () => watch.defect(),
    sizeBytes: () => sizeBytes,
  };
}

function verdictOf(
  { check, markers, action }: { check: SentenceCheck; markers: readonly number[]; action: SentenceAction },
  start: number,
  end: number,
): AskEvent {
  const { support, score, fault } = check;
  const place = { start, end, markers: [...markers] };
  const sentence = { ...place, support, action, ...(score !== undefined && { score }) };
  const claims = fault === undefined ? [] : [create(UnsupportedClaimSchema, { ...place, fault, action })];
  return { case: 'verdicts', value: create(VerdictsSchema, { sentences: [sentence] }), claims };
}

/** Whether a text has no word, number or pictogram beside its markers. */
function isBlank(text: string): boolean {
  return !/[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(text.replaceAll(/\[\d{1,3}\]/g, ''));
}
