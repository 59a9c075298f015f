import { createHash } from 'node:crypto';
import type { CacheScope } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { accessKey } from '#kit/rpc/access.ts';
import { normalizeQuestion } from './key.ts';

// Labels name answers besides their key, to remove and to explain them. Each kind has its own first word, and the name follows unchanged,
// so that no two labels are equal.

export const documentLabel = (documentId: string): string => `document:${documentId}`;
export const corpusLabel = (corpus: string): string => `corpus:${corpus}`;
export const revisionLabel = (corpus: string, revision: string): string =>
  `revision:${JSON.stringify([corpus, revision])}`;
export const modelLabel = (model: string): string => `model:${model}`;
export const promptLabel = (version: string): string => `prompt:${version}`;
export const questionLabel = (question: string): string => `question:${shortHash(normalizeQuestion(question))}`;
export const accessLabel = (principal: Principal): string => `access:${shortHash(accessKey(principal))}`;

/** Returns the labels that are known when a generation begins. */
export function labelsOfScope(principal: Principal, question: string, scope: CacheScope): string[] {
  return unique([
    modelLabel(scope.model),
    promptLabel(scope.promptVersion),
    questionLabel(question),
    accessLabel(principal),
    ...scope.corpora.flatMap(({ corpus, revision }) => [corpusLabel(corpus), revisionLabel(corpus, revision)]),
  ]);
}

/** Returns the labels that passages add. */
export function labelsOfPassages(passages: readonly { documentId: string; corpus: string }[]): string[] {
  return unique(passages.flatMap(({ documentId, corpus }) => [documentLabel(documentId), corpusLabel(corpus)]));
}

/** Returns the ids of the documents among labels. */
export function documentsOf(labels: readonly string[]): string[] {
  return labels.filter((label) => label.startsWith('document:')).map((label) => label.slice('document:'.length));
}

/** Returns whether passages can add this label to a generation that is running. */
export function isOfPassages(label: string): boolean {
  return label.startsWith('document:') || label.startsWith('corpus:');
}

/** Returns whether a label names a question. */
export function isQuestionLabel(label: string): boolean {
  return label.startsWith('question:');
}

/** Returns labels in their order, without repeats. */
export function unique(labels: readonly string[]): string[] {
  return [...new Set(labels)];
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22);
