import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { documentOf, type Source } from './evidence.ts';
import type { Ranked } from './model.ts';

/** A newer document of the same title replaces an older one if its best candidate has at least this share of the other's coverage. */
const minShare = 0.75;

/**
 * Returns the candidates without those of documents that a newer document of the same title replaces, and the dates of the documents
 * that replaced others, by document.
 */
export function withoutOutdated(
  ranked: readonly Ranked[],
  coverageOf: (one: Ranked) => number,
): { current: readonly Ranked[]; dates: ReadonlyMap<string, string> } {
  const best = new Map<string, { source: Source; coverage: number }>();
  for (const one of ranked) {
    const { source } = one.candidate;
    const id = documentOf(source.passage);
    const known = best.get(id);
    const coverage = Math.max(known?.coverage ?? 0, coverageOf(one));
    best.set(id, { source, coverage });
  }
  const outdated = new Set<string>();
  const dates = new Map<string, string>();
  for (const [id, { source, coverage }] of best) {
    for (const [otherId, other] of best) {
      const newer = other.source.passage.updatedAt;
      if (!replaces(other.source.passage, source.passage) || newer === undefined) continue;
      if (other.coverage < minShare * coverage) continue;
      outdated.add(id);
      dates.set(otherId, dateOf(newer));
    }
  }
  if (outdated.size === 0) return { current: ranked, dates };
  return { current: ranked.filter(({ candidate }) => !outdated.has(documentOf(candidate.source.passage))), dates };
}

function replaces(newer: Passage, older: Passage): boolean {
  if (newer.updatedAt === undefined || older.updatedAt === undefined || newer.language !== older.language) return false;
  if (documentOf(newer) === documentOf(older) || subjectOf(newer.title) !== subjectOf(older.title)) return false;
  return subjectOf(newer.title) !== '' && timestampMs(newer.updatedAt) > timestampMs(older.updatedAt);
}

/** Returns a title without years, versions and what is in brackets. */
function subjectOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[（(][^）)]{0,40}[）)]/g, '')
    .replace(/v?\d+(?:\.\d+)*/g, '')
    .replace(/[^\p{L}]+/gu, '');
}

const dateOf = (time: Timestamp): string => new Date(timestampMs(time)).toISOString().slice(0, 10);
