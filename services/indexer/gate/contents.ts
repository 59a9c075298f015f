import { GateCheckKind, type GateFinding, GateFindingKind } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { grantedGroups } from '#kit/rpc/access.ts';
import { accessListOf } from '../convert.ts';
import type { JobRecord } from '../jobs/job-store.ts';
import type { IndexClient } from '../jobs/run/index-client.ts';
import type { UploadContents } from '../jobs/run/upload-contents.ts';
import type { VersionSizes } from '../jobs/run/version-sizes.ts';
import { type CheckInit, findingOf, namedMax, sampleOf } from './check.ts';

/** The version, and what was written into it. */
export interface ContentsFacts {
  job: JobRecord;
  version: bigint;
  index: IndexClient;
  /** What the job has read; `changed` are the documents that it wrote. */
  contents: Pick<UploadContents, 'changed'>;
  sizes: VersionSizes;
}

/** Documents that are compared; of more, an even sample. */
const comparedMax = 2000;
/** Empty documents that are no reason to hold a version: their count, and their share. */
const emptyMax = { count: 2, share: 0.05 };
/** Documents of a live version from which its size says something, and the share that may be lost. */
const sizeFrom = 20;
const lossMax = 0.3;

/** Checks that the documents are in the version as they were written, and that they have a text. */
export async function checkContents({ version, index, contents }: ContentsFacts): Promise<CheckInit> {
  const written = sampleOf([...contents.changed], comparedMax);
  const held = await index.entries(
    version,
    written.map(([documentId]) => documentId),
  );
  const differing: string[] = [];
  for (const [documentId, { chunkCount, groups }] of written) {
    const entry = held.get(documentId);
    // A document that was deleted meanwhile is counted at the publish.
    if (entry === undefined) continue;
    const isAsWritten =
      entry.chunkCount === chunkCount &&
      String(grantedGroups(entry.access)) === String(grantedGroups(accessListOf(groups)));
    if (!isAsWritten) differing.push(documentId);
  }
  const empty = [...contents.changed].filter(([, { isEmpty }]) => isEmpty).map(([documentId]) => documentId);
  const isMostlyText = empty.length <= Math.max(emptyMax.count, contents.changed.size * emptyMax.share);
  const { NOT_AS_WRITTEN, EMPTY, AS_WRITTEN } = GateFindingKind;
  const findings: GateFinding[] = [];
  if (differing.length > 0) findings.push(findingOf(NOT_AS_WRITTEN, { count: differing.length }));
  if (empty.length > 0) findings.push(findingOf(EMPTY, { count: empty.length, total: contents.changed.size }));
  if (findings.length === 0) findings.push(findingOf(AS_WRITTEN, { count: written.length }));
  return {
    kind: GateCheckKind.CONTENTS,
    passed: differing.length === 0 && isMostlyText,
    findings,
    checkedCount: BigInt(written.length),
    documentIds: [...differing, ...empty].slice(0, namedMax),
  };
}

/** Checks that the version has not lost a large part of the live one. */
export function checkSize({ version, sizes }: ContentsFacts): CheckInit {
  const { live } = sizes;
  const checked = sizes.of(version);
  const isLarge = live.documentCount >= sizeFrom;
  const lostOf = (count: (size: typeof live) => number) => Math.max(0, 1 - count(checked) / Math.max(1, count(live)));
  const lost = Math.max(
    lostOf(({ documentCount }) => documentCount),
    lostOf(({ chunkCount }) => chunkCount),
  );
  const passed = !isLarge || lost <= lossMax;
  const { DOCUMENT_COUNT, CHUNK_COUNT, LOSS } = GateFindingKind;
  const findings = [
    findingOf(DOCUMENT_COUNT, { live: live.documentCount, checked: checked.documentCount }),
    findingOf(CHUNK_COUNT, { live: live.chunkCount, checked: checked.chunkCount }),
  ];
  if (!passed) findings.push(findingOf(LOSS, { count: lossMax * 100 }));
  return {
    kind: GateCheckKind.SIZE,
    passed,
    findings,
    checkedCount: BigInt(checked.documentCount),
  };
}
