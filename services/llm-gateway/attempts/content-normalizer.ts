import type { ProviderEvent } from '../providers/llm-provider.ts';
import { unreadable } from '../providers/wires/chat-content.ts';

type Content = Extract<ProviderEvent, { kind: 'text' | 'reasoning' | 'tool-call' }>;

/** The longest id of a tool call that a caller may send back, in UTF-16 units. */
const maxCallIdLength = 256;

/** Makes the content of one attempt whole, whatever its provider and its wire. */
export interface ContentNormalizer {
  /** Returns the content to hand on; `undefined`: none yet. Throws a ProviderError for content that is not text. */
  take(content: Content): Content | undefined;
  /** Returns what is held back, at the end of the stream: half characters, each as U+FFFD. */
  end(): Content[];
}

/**
 * Creates it. A character outside of the basic plane is two UTF-16 units, and providers cut between them: the first one is held until
 * the second one comes, for text, reasoning and each call's arguments separately. A lone unit becomes U+FFFD, on every topology. Each
 * tool call has one id, in its first part: the provider's own if it is short enough and not taken, else one of `newId`.
 */
export function createContentNormalizer(newId: () => string): ContentNormalizer {
  const held = new Map<string, Content>();
  const idsByIndex = new Map<number, string>();
  const ids = new Set<string>();

  const whole = (channel: string, text: string, content: Content): string => {
    const joined = held.has(channel) ? textOf(held.get(channel) as Content) + text : text;
    if (joined === '') return '';
    held.delete(channel);
    if (!endsInHalf(joined)) return joined.toWellFormed();
    held.set(channel, withText(content, joined.slice(-1)));
    return joined.slice(0, -1).toWellFormed();
  };
  const idOf = (index: number, id: unknown): string => {
    if (idsByIndex.has(index)) return '';
    let own = typeof id === 'string' ? id.toWellFormed() : '';
    if (own === '' || own.length > maxCallIdLength || ids.has(own)) own = newId();
    idsByIndex.set(index, own);
    ids.add(own);
    return own;
  };
  return {
    take(content) {
      if (typeof textOf(content) !== 'string') throw unreadable(typeof textOf(content));
      if (content.kind !== 'tool-call') {
        const text = whole(content.kind, content.text, content);
        return text === '' ? undefined : { kind: content.kind, text };
      }
      const { kind, index, name } = content;
      if (typeof name !== 'string') throw unreadable(typeof name);
      const argumentsJson = whole(`call ${index}`, content.argumentsJson, content);
      const id = idOf(index, content.id);
      if (id === '' && name === '' && argumentsJson === '') return undefined;
      return { kind, index, id, name: name.toWellFormed(), argumentsJson };
    },
    end() {
      const rest = [...held.values()].map((content) => withText(content, '\uFFFD'));
      held.clear();
      return rest;
    },
  };
}

function textOf(content: Content): string {
  return content.kind === 'tool-call' ? content.argumentsJson : content.text;
}

function withText(content: Content, text: string): Content {
  if (content.kind !== 'tool-call') return { kind: content.kind, text };
  return { kind: content.kind, index: content.index, id: '', name: '', argumentsJson: text };
}

/** Whether a text ends in the first unit of a surrogate pair. */
function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}
