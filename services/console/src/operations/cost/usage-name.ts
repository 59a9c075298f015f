import type { CostTexts } from '../i18n/cost.ts';
import type { Dimension } from './dimensions.ts';

/** Returns a name of a dimension as people read it. */
export function usageName(name: string, dimension: Dimension, texts: CostTexts['usage']): string {
  if (name === '') return texts.unnamed;
  return dimension === 'purpose' ? (texts.purposes[name] ?? name) : name;
}
