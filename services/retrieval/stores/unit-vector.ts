/**
 * Returns a vector scaled to length 1, in memory of its own; a zero vector stays zero. Returns `undefined` if a component is not
 * finite.
 */
export function toUnitVector(vector: Float32Array): Float32Array<ArrayBuffer> | undefined {
  let sum = 0;
  for (let index = 0; index < vector.length; index++) sum += (vector[index] as number) ** 2;
  if (!Number.isFinite(sum)) return undefined;
  const length = Math.sqrt(sum) || 1;
  const unit = new Float32Array(vector.length);
  for (let index = 0; index < vector.length; index++) unit[index] = (vector[index] as number) / length;
  return unit;
}

/** Returns whether all components are zero. Engines find a zero vector near everything, so no engine gets one. */
export function isZeroVector(vector: Float32Array): boolean {
  return vector.every((component) => component === 0);
}
