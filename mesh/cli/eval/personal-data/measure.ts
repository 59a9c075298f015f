import type { FindPersonalData } from '#kit/personal-data/find.ts';
import { sampleValue, type ValueKind, valueKinds } from '#kit/personal-data/sample-values.ts';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import type { LabelledSet } from './sets.ts';

/** Counts of one kind. A value is found if it is covered as a whole, and a finding is right if it overlaps any labelled value. */
export interface Counts {
  found: number;
  partly: number;
  missed: number;
  wrong: number;
}

/** Share of made values that are covered as a whole, by kind. */
export function measureMade(find: FindPersonalData, count: number): Record<ValueKind, number> {
  const shareOf = (kind: ValueKind): number => {
    const random = seededRandom(20_261);
    let found = 0;
    for (let made = 0; made < count; made++) {
      const { text, value } = sampleValue(kind, random);
      const start = text.indexOf(value);
      if (find(text).some((finding) => finding.start <= start && finding.end >= start + value.length)) found++;
    }
    return found / count;
  };
  return Object.fromEntries(valueKinds.map((kind) => [kind, shareOf(kind)])) as Record<ValueKind, number>;
}

/** Compares the findings in a labelled set with its labels, by kind. */
export function measureLabelled(find: FindPersonalData, { kinds, texts }: LabelledSet): Record<string, Counts> {
  const counts = Object.fromEntries(kinds.map((kind) => [kind, { found: 0, partly: 0, missed: 0, wrong: 0 }]));
  for (const { text, spans } of texts) {
    const findings = find(text);
    for (const { kind, start, end } of spans) {
      const of = counts[kind];
      if (of === undefined) continue;
      if (findings.some((finding) => finding.start <= start && finding.end >= end)) of.found++;
      else if (findings.some((finding) => finding.start < end && finding.end > start)) of.partly++;
      else of.missed++;
    }
    for (const { kind, start, end } of findings) {
      const of = counts[kind];
      if (of !== undefined && !spans.some((span) => start < span.end && end > span.start)) of.wrong++;
    }
  }
  return counts;
}

/** What was found in documents that are expected to have little. */
export interface DocumentCounts {
  documentCount: number;
  withHit: number;
  hits: { kind: string; text: string }[];
  cpuUsPerKilobyte: number;
}

/** Searches documents, and measures the CPU time of the search. */
export function measureDocuments(find: FindPersonalData, documents: Iterable<string>): DocumentCounts {
  const counts: DocumentCounts = { documentCount: 0, withHit: 0, hits: [], cpuUsPerKilobyte: 0 };
  let sizeBytes = 0;
  let cpuUs = 0;
  for (const text of documents) {
    const before = process.cpuUsage();
    const findings = find(text);
    cpuUs += process.cpuUsage(before).user;
    sizeBytes += Buffer.byteLength(text);
    counts.documentCount++;
    if (findings.length > 0) counts.withHit++;
    for (const { kind, start, end } of findings) {
      const around = `${text.slice(Math.max(0, start - 24), start)}[${text.slice(start, end)}]${text.slice(end, end + 8)}`;
      counts.hits.push({ kind, text: around.replaceAll(/\s+/g, ' ') });
    }
  }
  counts.cpuUsPerKilobyte = cpuUs / Math.max(1, sizeBytes / 1024);
  return counts;
}
