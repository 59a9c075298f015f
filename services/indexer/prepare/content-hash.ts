import { createHash } from 'node:crypto';
import { type Chunk, chunkerVersion } from '../chunk/chunk.ts';
import type { PreparedDocument, PrepareOptions } from './prepared.ts';

/**
 * Returns the SHA-256, in hex, of everything that the index stores of a document and of the options it was made with. If two
 * hashes are equal, writing the document again would change nothing.
 */
export function hashDocument(
  document: Omit<PreparedDocument, 'contentHash' | 'origin'>,
  options: PrepareOptions,
): string {
  const { documentId, title, url, language, groups, attributes, updatedAtMs, text, chunks } = document;
  const { targetTokens, overlapTokens, embeddingModel, dimensions, enrichment } = options;
  const facts = [
    [chunkerVersion, targetTokens, overlapTokens, embeddingModel, dimensions, ...(enrichment ? [enrichment] : [])],
    [documentId, title, url, language, [...groups].sort(), Object.entries(attributes).sort(), updatedAtMs ?? null],
    // The text is by far the longest part: it is hashed without a copy, after its length.
    [chunks.map(hashedOf), text.length],
  ];
  const hash = createHash('sha256').update(JSON.stringify(facts)).update(text);
  for (const vector of document.vectors ?? []) hash.update(vector);
  // The same edit of two texts is the same document for readers, but its next edit is of another text.
  if (document.source !== undefined) hash.update(JSON.stringify([document.source.title, document.source.text]));
  return hash.digest('hex');
}

/** A chunk without a boost has the hash that it had in earlier releases. */
function hashedOf({ start, end, headingPath, regions = [], boost }: Chunk): unknown[] {
  return [start, end, headingPath, ...regions, ...(boost === undefined ? [] : [{ boost }])];
}

/** Returns the id of a chunk: unique in the tenant, different for every content of its document, at most 512 characters. */
export function chunkIdOf(corpus: string, documentId: string, ordinal: number, contentHash: string): string {
  const tail = `#${ordinal}@${contentHash.slice(0, 12)}`;
  const name = `${corpus}/${documentId}`;
  if (name.length + tail.length <= 512) return name + tail;
  return `${corpus}/~${createHash('sha256').update(documentId).digest('hex')}${tail}`;
}
