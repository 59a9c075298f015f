import { createHash } from 'node:crypto';
import type { CorpusScope } from '../document-store.ts';

const prefix = 'original-';

/** Returns the name of the blob of a file: one for each path and content, so that a document that is deleted takes no file of another one. */
export function nameOfOriginal({ tenant, corpus }: CorpusScope, path: string, sha256: string): string {
  const hash = createHash('sha256').update(JSON.stringify([tenant, corpus, path, sha256]));
  return `${prefix}${hash.digest('hex')}`;
}

/** Returns whether a blob is an original; the others are uploads. */
export function isOriginal(name: string): boolean {
  return name.startsWith(prefix);
}
