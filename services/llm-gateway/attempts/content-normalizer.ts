import type { Content } from '../providers/llm-provider.ts';
import { unreadable } from '../providers/wires/chat-content.ts';

/** Longest id of a tool call that a caller may send back, in UTF-16 units. */
const maxCallIdLength = 256;

/** Normalizes the content of one attempt, for every provider and wire. */
export interface ContentNormalizer {
  /** Returns the content for the caller; `undefined`: none yet. Throws a ProviderError for content that is not text. */
  take(content: Content): Content | undefined;
  /** Returns the content that is held back at the end of the stream: half characters, each as U+FFFD. */
  end(): Content[];
}

/**
 * Creates a normalizer. A character outside of the basic plane is two UTF-16 units, and providers cut between them: the first unit is held
 * until the second one arrives, separately for text, reasoning and the arguments of each call. A lone unit becomes U+FFFD. Each tool call
 * has one id, in its first part: the provider's own if it is short enough and unique, otherwise one of `newId`.
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
      const given = textOf(content);
      if (typeof given !== 'string') throw unreadable(typeof given);
      if (content.kind !== 'tool-call') {
        // Nearly every token.
        if (held.size === 0 && given !== '' && given.isWellFormed()) return content;
        const text = whole(content.kind, content.text, content);
        return text === '' ? undefined : { kind: content.kind, text };
      }
      const { kind, index, name, extraContentJson } = content;
      if (typeof name !== 'string') throw unreadable(typeof name);
      const argumentsJson = whole(`call ${index}`, content.argumentsJson, content);
      const id = idOf(index, content.id);
      if (id === '' && name === '' && argumentsJson === '' && extraContentJson === undefined) return undefined;
      return {
        kind,
        index,
        id,
        name: name.toWellFormed(),
        argumentsJson,
        ...(extraContentJson === undefined ? {} : { extraContentJson }),
      };
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

/** Returns whether a text ends in the first unit of a surrogate pair. */
function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}
