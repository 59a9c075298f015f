import { labelsOf } from '#kit/personal-data/seal.ts';

/** Length of a title, in characters. */
const titleLength = 80;

/** Returns the title of a session: its first question, shortened. */
export function toTitle(question: string): string {
  const characters = [...labelsOf(question).replaceAll(/\s+/g, ' ').trim()];
  return characters.length <= titleLength ? characters.join('') : `${characters.slice(0, titleLength - 1).join('')}…`;
}
