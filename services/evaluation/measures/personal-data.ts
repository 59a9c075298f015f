import type { FindPersonalData } from '#kit/personal-data/find.ts';
import { type Measure, outcomeOf } from './measure.ts';

/** Measures the search for personal data: the share of values that are covered as a whole, and of findings that overlap one. */
export const measurePersonalData = (find: FindPersonalData, timeoutMs: number): Measure => ({
  timeoutMs,
  isJudged: ({ personalData }) => personalData !== undefined,
  ask({ text, personalData }) {
    const spans = (personalData?.values ?? []).flatMap((value) => spansOf(text, value));
    const findings = find(text);
    const found = spans.filter((span) => findings.some(({ start, end }) => start <= span.start && end >= span.end));
    const right = findings.filter(({ start, end }) => spans.some((span) => start < span.end && end > span.start));
    return Promise.resolve(outcomeOf(shareOf(found, spans), shareOf(right, findings)));
  },
});

/** Returns every place of a value in a text; one that is not in it counts as a value that cannot be found. */
function spansOf(text: string, value: string): { start: number; end: number }[] {
  const spans = [];
  for (let start = text.indexOf(value); start >= 0; start = text.indexOf(value, start + value.length)) {
    spans.push({ start, end: start + value.length });
  }
  return spans.length > 0 ? spans : [{ start: text.length, end: text.length + value.length }];
}

const shareOf = (part: readonly unknown[], all: readonly unknown[]): number =>
  all.length === 0 ? 1 : part.length / all.length;
