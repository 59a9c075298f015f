import type { Topic } from '#gen/ragmesh/chat/v1/inbox_pb.ts';

/** Longest part of a path that comes from the question, in characters. */
const maxNameLength = 48;

/** Returns the path of the document that is written for a topic: the same at every draft, so that a later one replaces it. */
export function draftPath({ question, topicId }: Pick<Topic, 'question' | 'topicId'>): string {
  const words = question.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-');
  const name = [...words]
    .slice(0, maxNameLength)
    .join('')
    .replaceAll(/^-+|-+$/g, '');
  // Different topics may begin with the same words.
  return `inbox/${[name, topicId.slice(0, 8)].filter((part) => part !== '').join('-')}.md`;
}

/** Returns a document in Markdown with its title as the heading. */
export function draftText(title: string, text: string): string {
  return `# ${title.replaceAll(/\s+/g, ' ').trim()}\n\n${text.trim()}\n`;
}

/** Returns the text of such a document without its heading. */
export function textOfDraft(markdown: string): string {
  return markdown.replace(/^#[^\n]*\n+/, '').trim();
}

/** Names of what is written for a topic, before it is published. */
export const draftNames = (topicId: string) => ({ answer: `${topicId}/answer`, document: `${topicId}/document` });
