import { hasNegative } from '#kit/text/facts/negation.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';

/** Words that limit or forbid without a negative. */
const limits =
  /除外|例外|不含|免赔|限制|禁|仅限|拒绝|除了|limit|exclu|forbid|prohibit|except|refus|restrict|not |never|don't|cannot/i;

/** Returns whether a heading or lead reverses or limits the meaning of what is below it. */
export function negates(text: string): boolean {
  const normal = normalizeText(text, foldTraditional);
  return hasNegative(normal) || limits.test(normal);
}
