import { RE2JS } from 're2js';
import type { Detector, Finding } from './detector.ts';

/** Matches of one pattern in a text. */
const matchesMax = 1000;

/** Finds a tenant's own numbers by expressions in the syntax of RE2, whose time is linear. Throws if one cannot be compiled. */
export function createFindOwn(patterns: readonly string[]): Detector {
  const compiled = patterns.map((pattern) => RE2JS.compile(pattern));
  return (text) => {
    const found: Finding[] = [];
    for (const pattern of compiled) {
      const matcher = pattern.matcher(text);
      for (let count = 0; count < matchesMax && matcher.find(); count++) {
        const [start, end] = [matcher.start(), matcher.end()];
        if (end > start) found.push({ kind: 'NUMBER', start, end });
      }
    }
    return found;
  };
}
