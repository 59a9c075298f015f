import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { CacheScope } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { accessKey } from '#kit/rpc/access.ts';
import { isShared } from '#kit/rpc/messages/shared-message.ts';
import { normalizeText } from '#kit/text/normalize.ts';

// The one place in which cache keys are made: of an answer, of a scope, and the text that they hash.

/** Part of every identity, so that entries of another layout of the identity or of the stored events are never found. */
const layout = 'ragmesh.answer.3';

/**
 * Returns the identity of an answer, 64 hex digits: SHA-256 over the tenant, what the principal may see, and all that the answer
 * depends on. Every part is preceded by its length and every list by its count, so that no two scopes have the same text.
 */
export function identityOf(principal: Principal, question: string, scope: CacheScope): string {
  if (!isShared(scope)) return computeIdentity(principal, question, scope);
  let byQuestion = identities.get(scope);
  if (byQuestion === undefined) {
    byQuestion = new LRUCache({ maxSize: maxIdentityLength, sizeCalculation: (_, key) => key.length });
    identities.set(scope, byQuestion);
  }
  const access = accessKey(principal);
  const name = `${access}${question}`;
  let identity = byQuestion.get(name);
  if (identity === undefined) {
    identity = computeIdentity(principal, question, scope);
    byQuestion.set(name, identity);
  }
  return identity;
}

// Of scopes that come again and again: the same questions come again too. Each name begins with the access, which is JSON.
const identities = new WeakMap<CacheScope, LRUCache<string, string>>();
/** Characters of the questions whose identities are kept for a scope. */
const maxIdentityLength = 250_000;

function computeIdentity(principal: Principal, question: string, scope: CacheScope): string {
  return hash('sha256', scopeText('answer', principal, scope) + part(normalizeQuestion(question)));
}

/** Returns the same without the question: questions of one scope may have one answer. */
export function scopeKeyOf(principal: Principal, scope: CacheScope): string {
  return hash('sha256', scopeText('scope', principal, scope));
}

function scopeText(kind: string, principal: Principal, scope: CacheScope): string {
  const corpora = list(scope.corpora.map(({ corpus, revision }) => [corpus, revision]).sort(byTexts));
  const parameters = list(Object.entries(scope.parameters).sort(byTexts));
  return (
    part(layout) +
    part(kind) +
    part(principal.tenant) +
    part(accessKey(principal)) +
    corpora +
    part(scope.promptVersion) +
    part(scope.model) +
    parameters +
    part(String(scope.language))
  );
}

// One text and one call of the hash: it is computed for every question.
function part(text: string): string {
  return `${Buffer.byteLength(text)}:${text}`;
}

function list(rows: readonly (readonly string[])[]): string {
  return part(String(rows.length)) + rows.flat().map(part).join('');
}

/** Returns who may fill a lease, as a text: the caller that received it, with the same access. */
export function holderOf(principal: Principal): string {
  return JSON.stringify([principal.user, accessKey(principal)]);
}

/**
 * Returns the one form of questions that differ only in case, width, space and closing punctuation. Signs that belong to a name stay:
 * "C++", "C#" and "C" are three questions.
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
