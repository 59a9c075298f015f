import { createHash } from 'node:crypto';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { labelsOf } from '#kit/personal-data/seal.ts';
import { detectLanguage } from '#kit/text/language.ts';
import type { Chunk } from '../chunk/chunk.ts';
import { hashDocument } from '../prepare/content-hash.ts';
import type { PreparedDocument, PreparedNote, PrepareOptions } from '../prepare/prepared.ts';

/** What an overlay changes, in a document. */
export interface OverlayTargetKey {
  documentId: string;
  kind: OverlayKind;
  /** SHA-256, in hex, of the chunk's text or of the title; empty for the document. */
  contentHash: string;
}

/** A change of a document by a person. */
export interface OverlayChange extends OverlayTargetKey {
  /** The new text, or the boost as a number; `undefined`: it is hidden. */
  text: string | undefined;
}

/** Returns the hash by which an overlay names a text. */
export function hashOfText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Returns whether a document, as it was read, has what an overlay changes. */
export function hasTarget(
  { title, text, chunks }: Pick<PreparedDocument, 'title' | 'text' | 'chunks'>,
  { kind, contentHash }: OverlayTargetKey,
): boolean {
  switch (kind) {
    case OverlayKind.DOCUMENT:
    case OverlayKind.DOCUMENT_BOOST:
      return true;
    case OverlayKind.TITLE:
      return hashOfText(title) === contentHash;
    case OverlayKind.CHUNK:
    case OverlayKind.CHUNK_BOOST:
      return chunks.some(({ start, end }) => hashOfText(text.slice(start, end)) === contentHash);
    default:
      return false;
  }
}

/** Returns a note of the overlays whose text a document, as it was read, no longer has; an empty list if there is none. */
export function noteLeftOut(document: PreparedDocument, overlays: readonly OverlayChange[]): PreparedNote[] {
  const { length: count } = overlays.filter((overlay) => !hasTarget(document, overlay));
  if (count === 0) return [];
  const message =
    'edits of a text that the document no longer has were left out: apply each to the new text, or withdraw it';
  return [{ ...document.origin, kind: NoteKind.EDIT_NOT_APPLIED, count, message }];
}

/**
 * Returns a document with its overlays applied, and itself as it was read in `source`; the document itself if none of them applies. The text
 * of a chunk is replaced in the text of the document, so that every chunk is still a slice of it; a hidden chunk is no chunk any more.
 */
export function applyOverlays(
  document: PreparedDocument,
  overlays: readonly OverlayChange[],
  options: PrepareOptions,
): PreparedDocument {
  const applied = overlays.filter((overlay) => hasTarget(document, overlay));
  if (applied.length === 0) return document;
  const of = (wanted: OverlayKind) => applied.filter(({ kind }) => kind === wanted);
  const boostOf = ({ text }: OverlayChange) => Number(text ?? 0);
  const documentBoost = of(OverlayKind.DOCUMENT_BOOST).map(boostOf)[0] ?? 0;
  const chunkBoosts = new Map(of(OverlayKind.CHUNK_BOOST).map((one) => [one.contentHash, boostOf(one)]));
  const raised = raiseChunks(document, documentBoost, chunkBoosts);
  // What people change has other vectors.
  const { vectors: _, ...plain } = document;
  const isHidden = of(OverlayKind.DOCUMENT).length > 0;
  const byHash = new Map(of(OverlayKind.CHUNK).map(({ contentHash, text }) => [contentHash, { text }]));
  const changed = {
    ...plain,
    title: of(OverlayKind.TITLE)[0]?.text ?? document.title,
    ...replaceChunks(document.text, raised, byHash),
    ...(isHidden && { chunks: [] }),
    source: { title: document.title, text: document.text, chunks: document.chunks },
  };
  return { ...changed, contentHash: hashDocument(changed, options) };
}

/** Returns the chunks with the sum of both boosts, within -1 and 1. */
function raiseChunks(
  { text, chunks }: Pick<PreparedDocument, 'text' | 'chunks'>,
  documentBoost: number,
  chunkBoosts: ReadonlyMap<string, number>,
): readonly Chunk[] {
  if (documentBoost === 0 && chunkBoosts.size === 0) return chunks;
  return chunks.map((chunk) => {
    const own = chunkBoosts.size === 0 ? 0 : (chunkBoosts.get(hashOfText(text.slice(chunk.start, chunk.end))) ?? 0);
    const boost = Math.max(-1, Math.min(1, documentBoost + own));
    return boost === 0 ? chunk : { ...chunk, boost };
  });
}

function replaceChunks(
  text: string,
  chunks: readonly Chunk[],
  changes: ReadonlyMap<string, { text: string | undefined }>,
): Pick<PreparedDocument, 'text' | 'chunks'> {
  if (changes.size === 0) return { text, chunks };
  let written = '';
  /** Position in the old text up to which it is written, and the end of the last chunk that was replaced. */
  let position = 0;
  let replacedUntil = 0;
  const kept: Chunk[] = [];
  const writeUntil = (end: number) => {
    written += text.slice(position, Math.max(position, end));
    position = Math.max(position, end);
  };
  for (const chunk of chunks) {
    const change = changes.get(hashOfText(text.slice(chunk.start, chunk.end)));
    if (change?.text !== undefined) {
      writeUntil(chunk.start);
      const start = written.length;
      written += change.text;
      position = Math.max(position, chunk.end);
      replacedUntil = position;
      const { context: _, ...plain } = chunk;
      kept.push({ ...plain, start, end: written.length, language: detectLanguage(labelsOf(change.text)) });
      continue;
    }
    writeUntil(chunk.end);
    if (change !== undefined) continue;
    // What a chunk repeats of a replaced one before it is gone.
    const shift = written.length - position;
    const start = Math.max(chunk.start, replacedUntil);
    if (start < chunk.end) kept.push({ ...chunk, start: start + shift, end: chunk.end + shift });
  }
  writeUntil(text.length);
  return { text: written, chunks: kept };
}
