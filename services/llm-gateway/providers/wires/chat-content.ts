import { ProviderError } from '../error.ts';
import type { ProviderEvent } from '../llm-provider.ts';

/** The meaning of a string in a message: text for the user, reasoning of the model, or a refusal. */
export type ContentKind = 'text' | 'reasoning' | 'refusal';

/**
 * Adds the content of a field to `events`: a string, nothing, or a list of parts (Mistral's thinking models, compatible servers). A
 * refusal is text for the reader. Returns whether there was one. Throws a ProviderError for anything else, which cannot be shown as text.
 */
export function pushContent(content: unknown, kind: ContentKind, events: ProviderEvent[]): boolean {
  if (typeof content === 'string') return pushText(content, kind, events);
  if (content === undefined || content === null) return false;
  if (!Array.isArray(content)) throw unreadable(typeof content);
  let isRefused = false;
  for (const part of content) isRefused = pushPart(part, kind, events) || isRefused;
  return isRefused;
}

function pushPart(part: unknown, kind: ContentKind, events: ProviderEvent[]): boolean {
  const { type, text, thinking, refusal } = (part ?? {}) as Record<string, unknown>;
  if (type === 'text' && typeof text === 'string') return pushText(text, kind, events);
  if (type === 'refusal' && typeof refusal === 'string') return pushText(refusal, 'refusal', events);
  if (type === 'thinking' && typeof thinking === 'string') return pushText(thinking, 'reasoning', events);
  // The parts of a thought are texts; a thought in a thought has no meaning.
  if (type === 'thinking' && Array.isArray(thinking) && thinking.every((inner) => inner?.type === 'text')) {
    return pushContent(thinking, 'reasoning', events);
  }
  throw unreadable(typeof type === 'string' ? type : typeof part);
}

function pushText(text: string, kind: ContentKind, events: ProviderEvent[]): boolean {
  if (text === '') return false;
  events.push({ kind: kind === 'reasoning' ? 'reasoning' : 'text', text });
  return kind === 'refusal';
}

/** Returns the error of content that is not text. The same model would send it again. */
export function unreadable(form: string): ProviderError {
  return new ProviderError({
    remedy: 'elsewhere',
    kind: 'broken',
    code: 'content_unreadable',
    message: `the provider sent content of the form "${form.slice(0, 32)}", which is not text: use another model or adapter`,
  });
}
