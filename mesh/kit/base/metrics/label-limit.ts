/** The value of a label for all that have none of their own. */
export const otherLabel = 'other';

/**
 * Returns a function that bounds the values of a label, since each value is a time series of its own, for as long as the process lives. It
 * returns a value unchanged if it is in `allowed`; without `allowed`, if it is one of the first `max` that the process sees. Else "other".
 */
export function createLabelLimit(max: number, allowed: readonly string[] = []): (value: string) => string {
  const own = new Set(allowed);
  if (own.size > 0) return (value) => (own.has(value) ? value : otherLabel);
  return (value) => {
    if (own.has(value)) return value;
    if (own.size >= max) return otherLabel;
    own.add(value);
    return value;
  };
}
