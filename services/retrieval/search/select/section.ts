import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { PassageRecord } from '../../catalog/passage-record.ts';

/** Chunks before and after a passage that are read to find its section. */
export const sectionReach = 8;

/**
 * Returns the chunks around a passage that belong to its section, in order of ordinal: adjacent ones under the same headings, the nearest
 * first, as long as all of them together have at most `maxTokens` estimated tokens. `around` must be in order of ordinal; a missing
 * ordinal ends the section.
 */
export function sectionAround(
  record: PassageRecord,
  around: readonly PassageRecord[],
  maxTokens: number,
): PassageRecord[] {
  const byOrdinal = new Map(around.map((one) => [one.ordinal, one]));
  const path = record.headingPath.join('\n');
  const section: PassageRecord[] = [];
  let leftTokens = maxTokens - estimateTokens(record.text);
  const ends = [record.ordinal + 1, record.ordinal - 1];
  for (const open = new Set([0, 1]); open.size > 0; ) {
    for (const side of open) {
      const next = byOrdinal.get(ends[side] as number);
      const tokens = next === undefined ? 0 : estimateTokens(next.text);
      if (next === undefined || tokens > leftTokens || next.headingPath.join('\n') !== path) {
        open.delete(side);
        continue;
      }
      section.push(next);
      leftTokens -= tokens;
      ends[side] = next.ordinal + (side === 0 ? 1 : -1);
    }
  }
  return section.sort((a, b) => a.ordinal - b.ordinal);
}
