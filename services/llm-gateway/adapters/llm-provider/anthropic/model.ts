/**
 * How a Claude model thinks:
 * - `none`: it cannot;
 * - `budget`: on request, with a budget of tokens (up to Claude 4.5);
 * - `adaptive`: by the effort; can be turned off;
 * - `between-tools`: as adaptive; off means no thinking before the first word;
 * - `always`: as adaptive, never off.
 */
export type Thinking = (typeof thinkingWords)[number];

export const thinkingWords = ['none', 'budget', 'adaptive', 'between-tools', 'always'] as const;

/**
 * Returns how a model thinks, by its name, if it is not configured. Source: platform.claude.com/docs/en/build-with-claude/thinking and the
 * migration guides of Claude Sonnet 5.5 and Haiku 5.5. An unknown name is treated as a current model.
 */
export function thinkingOf(model: string): Thinking {
  if (/claude-(?:instant|[12]\b|3-(?:5|opus|sonnet|haiku))/.test(model)) return 'none';
  if (/claude-(?:3-7|(?:opus|sonnet|haiku)-4(?:-[0-5])?(?:-\d{8}|@|$|-v\d|-latest|:))/.test(model)) return 'budget';
  if (/claude-sonnet-5-5/.test(model)) return 'between-tools';
  if (/claude-(?:opus-5-5|fable|mythos)/.test(model)) return 'always';
  return 'adaptive';
}
