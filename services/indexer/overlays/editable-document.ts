import { OverlayKind } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { overlapOf, sketchOf } from '#kit/statistics/near-duplicates.ts';
import type { Chunk } from '../chunk/chunk.ts';
import { hashOfText, type OverlayTargetKey } from './apply-overlays.ts';

/** A document as it was read. */
export interface EditableDocument {
  title: string;
  text: string;
  chunks: readonly Chunk[];
  groups: readonly string[];
  attributes: Record<string, string>;
}

/** Least overlap, from 0 to 1, of a chunk with the text that it may have replaced. */
const overlapMin = 0.2;

const isOfChunk = (kind: OverlayKind) => kind === OverlayKind.CHUNK || kind === OverlayKind.CHUNK_BOOST;

/** Returns the text that an overlay changes; empty if the document does not have it. */
export function originalOf(
  { title, text, chunks }: EditableDocument,
  { kind, contentHash }: Pick<OverlayTargetKey, 'kind' | 'contentHash'>,
): string {
  if (!isOfChunk(kind)) return title;
  const chunk = chunks.find(({ start, end }) => hashOfText(text.slice(start, end)) === contentHash);
  return chunk === undefined ? '' : text.slice(chunk.start, chunk.end);
}

/**
 * Returns what a document has in the place of a text that an overlay changed and that is gone: its title, or the chunk whose text overlaps
 * most with it. `undefined` if no chunk is like it.
 */
export function replacementOf(
  { title, text, chunks }: Pick<EditableDocument, 'title' | 'text' | 'chunks'>,
  { kind, original }: { kind: OverlayKind; original: string },
): { text: string; contentHash: string } | undefined {
  if (!isOfChunk(kind)) return { text: title, contentHash: hashOfText(title) };
  const sketch = sketchOf(original);
  let best: string | undefined;
  let most = overlapMin;
  for (const { start, end } of chunks) {
    const candidate = text.slice(start, end);
    const overlap = overlapOf(sketch, sketchOf(candidate));
    if (overlap <= most) continue;
    most = overlap;
    best = candidate;
  }
  return best === undefined ? undefined : { text: best, contentHash: hashOfText(best) };
}
