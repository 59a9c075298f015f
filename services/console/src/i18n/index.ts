import { createContext, useContext } from 'react';
import { en, type Messages } from './en.ts';
import { zh } from './zh.ts';

export type { Messages };

/** A language of the page. */
export type PageLanguage = 'en' | 'zh';

/** The texts by language. */
export const messages: Readonly<Record<PageLanguage, Messages>> = { en, zh };

const storageKey = 'ragmesh.language';

/** The language to begin with: the one chosen before, else the first of the browser's that the page speaks, else English. */
export function initialLanguage(storage: Pick<Storage, 'getItem'>, preferred: readonly string[]): PageLanguage {
  const chosen = storage.getItem(storageKey);
  if (chosen === 'en' || chosen === 'zh') return chosen;
  for (const tag of preferred) {
    const primary = tag.toLowerCase().split('-')[0];
    if (primary === 'en' || primary === 'zh') return primary;
  }
  return 'en';
}

/** Keeps the language for the next visit. */
export function keepLanguage(storage: Pick<Storage, 'setItem'>, language: PageLanguage): void {
  storage.setItem(storageKey, language);
}

/** Carries the texts to every component. */
export const MessagesContext = createContext<Messages>(en);

/** The texts in the page's language. */
export function useMessages(): Messages {
  return useContext(MessagesContext);
}
