import type { TextStream } from './mask-stream.ts';

/** A short mask, as models and searches read it: a number of the request, or the first eight digits of a sealed token. */
const shortMask = /\[[A-Z_]{2,16}_(?:[0-9]{1,4}|[0-9a-f]{8})\]/g;
/** The beginning of one. */
const begun = /\[(?:[A-Z_]{0,17}|[A-Z_]{2,17}[0-9a-f]{0,8})$/;

/** Whether a text has a short mask. */
export function hasShortMask(text: string): boolean {
  return text.includes('[') && text.search(shortMask) >= 0;
}

/** Replaces the masks of a text by what `resolve` returns; those that it does not know stay. */
export function restoreMasks(text: string, resolve: (mask: string) => string | undefined): string {
  return text.includes('[') ? text.replace(shortMask, (mask) => resolve(mask) ?? mask) : text;
}

/** Restores a text that arrives in pieces: the result is the same however it is cut. Holds back at most the beginning of one mask. */
export function createRestoreStream(resolve: (mask: string) => string | undefined): TextStream {
  let held = '';
  return {
    push(delta) {
      const text = held + delta;
      const start = begun.exec(text)?.index ?? text.length;
      held = text.slice(start);
      return restoreMasks(text.slice(0, start), resolve);
    },
    end() {
      const text = held;
      held = '';
      return text;
    },
  };
}
