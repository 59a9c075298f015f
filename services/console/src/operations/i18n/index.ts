import { createContext, use } from 'react';
import type { PageLanguage } from '../../i18n/index.ts';
import { en, type OperationTexts } from './en.ts';
import { zh } from './zh.ts';

/** The texts of the sections, by language. */
export const operationTexts: Record<PageLanguage, OperationTexts> = { en, zh };

/** The texts of the language that the user has chosen. */
export const OperationTextsContext = createContext<OperationTexts>(en);

/** Returns the texts of the sections. */
export function useOperationTexts(): OperationTexts {
  return use(OperationTextsContext);
}
