import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition, notFound } from '#kit/base/errors.ts';
import type { CorpusScope } from '../documents/document-store.ts';
import { hasTarget, type OverlayTargetKey } from './apply-overlays.ts';
import { type EditableDocument, originalOf } from './editable-document.ts';
import type { OverlayStore, StoredOverlay } from './overlay-store.ts';

/** An overlay whose target is gone, and its next one. */
export interface OverlayMove {
  scope: CorpusScope;
  from: OverlayTargetKey;
  /** Hash of the chunk's text or of the title that it changes from now on. */
  toContentHash: string;
  /** The document as it is now. */
  source: EditableDocument;
  user: string;
}

/**
 * Stores an overlay for what its document has now, then withdraws it from what is gone; returns the stored one. A caller that fails
 * between the two can try again. Throws NOT_FOUND without such an overlay, and FAILED_PRECONDITION if it still applies, or the document does
 * not have its next target, or that has an overlay of its own.
 */
export async function moveOverlay(
  overlays: OverlayStore,
  { scope, from, toContentHash, source, user }: OverlayMove,
): Promise<StoredOverlay> {
  const current = await overlays.find(scope, from);
  if (current === undefined) throw notFound('overlay', from.contentHash);
  if (hasTarget(source, from))
    throw refusal('the document still has what the overlay changes: change the overlay itself');
  const to = { ...from, contentHash: toContentHash };
  if (!hasTarget(source, to)) throw refusal('the document has changed: call ListChunks again');
  const existing = await overlays.find(scope, to);
  if (existing !== undefined && existing.text !== current.text) {
    throw refusal('that text has an overlay of its own: withdraw it first, or drop this one');
  }
  const { text } = current;
  const revision = { groups: source.groups, changedBy: user, text };
  const moved =
    existing ?? (await overlays.put(scope, { ...to, ...revision, original: originalOf(source, to), isDeleted: false }));
  await overlays.put(scope, { ...from, ...revision, original: current.original, isDeleted: true });
  return moved;
}

function refusal(message: string) {
  return failedPrecondition(ErrorReason.VERSION_STATE, message);
}
