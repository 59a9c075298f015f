import type { Finding } from './detectors/detector.ts';

/** A text with its values replaced. */
export interface Masked {
  text: string;
  /** Returns the place in it of a place in the original; one inside of a value is at the end of its mask. */
  placeOf: (offset: number) => number;
}

/** Replaces the findings of a text, which are in order and do not overlap. */
export function maskFindings(
  text: string,
  findings: readonly Finding[],
  nameOf: (finding: Finding, value: string) => string,
): Masked {
  if (findings.length === 0) return { text, placeOf: (offset) => offset };
  let masked = '';
  let end = 0;
  const shifts: { from: number; to: number; shift: number }[] = [];
  for (const finding of findings) {
    masked += text.slice(end, finding.start) + nameOf(finding, text.slice(finding.start, finding.end));
    end = finding.end;
    shifts.push({ from: finding.start, to: finding.end, shift: masked.length - end });
  }
  masked += text.slice(end);
  return {
    text: masked,
    placeOf(offset) {
      // The last finding that begins before the place, by bisection: documents have many places.
      let [low, high] = [0, shifts.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((shifts[middle]?.from ?? 0) < offset) low = middle + 1;
        else high = middle;
      }
      const before = shifts[low - 1];
      return before === undefined ? offset : Math.max(offset, before.to) + before.shift;
    },
  };
}
