import { HealthFindingKind } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { type Finding, findingsMax, type HealthCheck } from './finding.ts';

/** Whether a text is a day, as `2026-12-03`. */
export const isDay = (text: string): boolean => /^\d{4}-\d{2}-\d{2}$/.test(text);

/** Creates the check for days that documents name themselves: `valid_until` and `review_at`. `nowMs`: in milliseconds since 1970. */
export function createDateCheck(nowMs: number): HealthCheck {
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const expired: Finding[] = [];
  const due: Finding[] = [];
  return {
    add(document) {
      const { valid_until: validUntil = '', review_at: reviewAt = '' } = document.attributes;
      const evidence = [{ document, text: '' }];
      // A document is valid on its last day, and due on the day of its review.
      if (isDay(validUntil) && validUntil < today) {
        expired.push({ kind: HealthFindingKind.EXPIRED, evidence, detail: validUntil, overlap: 0 });
      }
      if (isDay(reviewAt) && reviewAt <= today) {
        due.push({ kind: HealthFindingKind.REVIEW_DUE, evidence, detail: reviewAt, overlap: 0 });
      }
    },
    findings: () =>
      [expired, due].flatMap((found) =>
        found.sort((a, b) => (a.detail < b.detail ? -1 : a.detail > b.detail ? 1 : 0)).slice(0, findingsMax),
      ),
  };
}
