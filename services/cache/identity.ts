import { createHash, type Hash } from 'node:crypto';
import type { CacheScope } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { accessKey } from '#kit/access.ts';
import { normalizeText } from '#kit/text/normalize.ts';

/** Part of every identity: entries of another layout of the identity or of the stored events are never found. */
const layout = 'ragmesh.answer.2';

/**
 * The identity of an answer, 64 hex digits: SHA-256 over the tenant, what the principal may see, and all that the answer
 * depends on. Every part is preceded by its length and every list by its count, so that no two scopes can run together.
 */
export function identityOf(principal: Principal, question: string, scope: CacheScope): string {
  const hash = createHash('sha256');
  addScope(hash, 'answer', principal, scope);
  addPart(hash, normalizeQuestion(question));
  return hash.digest('hex');
}

/** The same for all but the question: questions of one scope may have one answer. */
export function scopeKeyOf(principal: Principal, scope: CacheScope): string {
  const hash = createHash('sha256');
  addScope(hash, 'scope', principal, scope);
  return hash.digest('hex');
}

function addScope(hash: Hash, kind: string, principal: Principal, scope: CacheScope): void {
  addPart(hash, layout);
  addPart(hash, kind);
  addPart(hash, principal.tenant);
  addPart(hash, accessKey(principal));
  addList(hash, scope.corpora.map(({ corpus, revision }) => [corpus, revision]).sort(byTexts));
  addPart(hash, scope.promptVersion);
  addPart(hash, scope.model);
  addList(hash, Object.entries(scope.parameters).sort(byTexts));
  addPart(hash, String(scope.language));
}

function addPart(hash: Hash, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  hash.update(length).update(bytes);
}

function addList(hash: Hash, rows: readonly (readonly string[])[]): void {
  addPart(hash, String(rows.length));
  for (const row of rows) for (const text of row) addPart(hash, text);
}

/** Who may fill a lease, as a text: the caller that got it, with the same access. */
export function holderOf(principal: Principal): string {
  return JSON.stringify([principal.user, accessKey(principal)]);
}

/**
 * The one form of questions that are the same but for case, width, space and closing punctuation. Signs that belong to a
 * name stay: "C++", "C#" and "C" are three questions.
 */
export function normalizeQuestion(question: string): string {
  const plain = normalizeText(question).replaceAll(/\s+/g, ' ').trim();
  return plain.replace(/[\s.。!?,、;:~]+$/u, '') || plain;
}

function byTexts(a: readonly string[], b: readonly string[]): number {
  for (const [index, text] of a.entries()) {
    const other = b[index] ?? '';
    if (text !== other) return text < other ? -1 : 1;
  }
  return 0;
}
