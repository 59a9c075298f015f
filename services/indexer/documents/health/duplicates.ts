import { createHash } from 'node:crypto';
import { HealthFindingKind } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { isNearDuplicate, overlapOf, type Sketch, sketchOf } from '#kit/statistics/near-duplicates.ts';
import { type Evidence, evidenceMax, type Finding, findingsMax, type HealthCheck } from './finding.ts';

/** Characters of a chunk below which equal texts say nothing: headings, "see below". */
const lengthMin = 40;
/** Slots of a sketch that are one key: chunks with an equal key are compared. At an overlap of .85, 99 % of pairs have one. */
const band = { slots: 6, count: 10 };
/** Chunks of a key that are compared; a key of more is of a common phrase. */
const comparedMax = 20;
const excerptLength = 200;

interface Group {
  text: string;
  sketch: Sketch;
  evidence: Evidence[];
  /** Lowest overlap of a member with the first one. */
  overlap: number;
}

/** Creates the check for chunks that several documents have. */
export function createDuplicateCheck(): HealthCheck {
  const byHash = new Map<string, Group>();
  const byBand = new Map<string, Group[]>();
  const join = (group: Group, evidence: Evidence, overlap: number) => {
    const isKnown = group.evidence.some(({ document }) => document.documentId === evidence.document.documentId);
    if (isKnown || group.evidence.length >= evidenceMax) return;
    group.evidence.push(evidence);
    group.overlap = Math.min(group.overlap, overlap);
  };
  return {
    add(document) {
      for (const text of document.chunks) {
        if (text.length < lengthMin) continue;
        const evidence = { document, text: text.slice(0, excerptLength) };
        const hash = createHash('sha256').update(text.replace(/\s+/g, ' ').trim().toLowerCase()).digest('base64');
        const same = byHash.get(hash);
        if (same !== undefined) {
          join(same, evidence, same.overlap);
          continue;
        }
        const sketch = sketchOf(text);
        const keys = keysOf(sketch);
        const candidates = new Set(keys.flatMap((key) => byBand.get(key) ?? []));
        const like = [...candidates].find((group) => isNearDuplicate({ text, sketch }, group));
        if (like !== undefined) {
          join(like, evidence, overlapOf(sketch, like.sketch));
          byHash.set(hash, like);
          continue;
        }
        const group = { text, sketch, evidence: [evidence], overlap: 1 };
        byHash.set(hash, group);
        for (const key of keys) {
          const groups = byBand.get(key);
          if (groups === undefined) byBand.set(key, [group]);
          else if (groups.length < comparedMax) groups.push(group);
        }
      }
    },
    findings() {
      const shared = [...new Set(byHash.values())].filter(({ evidence }) => evidence.length > 1);
      const found = shared.map(
        ({ evidence, overlap }): Finding => ({
          kind: overlap === 1 ? HealthFindingKind.DUPLICATE : HealthFindingKind.NEAR_DUPLICATE,
          evidence,
          detail: '',
          overlap,
        }),
      );
      const of = (wanted: HealthFindingKind) =>
        found
          .filter(({ kind }) => kind === wanted)
          .sort((a, b) => b.evidence.length - a.evidence.length)
          .slice(0, findingsMax);
      return [...of(HealthFindingKind.DUPLICATE), ...of(HealthFindingKind.NEAR_DUPLICATE)];
    },
  };
}

function keysOf(sketch: Sketch): string[] {
  return Array.from(
    { length: band.count },
    (_, index) => `${index}:${sketch.subarray(index * band.slots, (index + 1) * band.slots).join()}`,
  );
}
