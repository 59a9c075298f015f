/** The most tokens that one count of a provider may report if the context of the model is not known. No model has a longer one. */
export const maxTokenCount = 10_000_000;

/** Returns whether a provider's value is a count of tokens: a whole number from 0 to `max`. */
export function isTokenCount(value: unknown, max = maxTokenCount): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

/**
 * Returns a provider's value for ProviderUsage: `undefined` if there is none, NaN if it is not a number, so that an earlier count is not
 * treated as the last one.
 */
export function toReportedCount(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'number' ? value : Number.NaN;
}
