/** Longest content that is compared by order; the rest is ignored. */
const atomsMax = 80;

/**
 * Returns whether the two sides of a word have changed places: "from Paris to Rome" and "from Rome to Paris" around "to",
 * 支付宝转微信 and 微信转支付宝 around 转. One part that moves past another (怎么更换还款卡, 还款卡怎么更换) is no such change.
 */
export function hasChangedSides(first: readonly string[], second: readonly string[]): boolean {
  const a = onceOnly(first.slice(0, atomsMax));
  const b = onceOnly(second.slice(0, atomsMax));
  const places = new Map(b.map((atom, index) => [atom, index]));
  const shared = a.filter((atom) => places.has(atom));
  for (const [index, pivot] of shared.entries()) {
    const place = places.get(pivot) as number;
    const wentRight = shared.slice(0, index).some((atom) => (places.get(atom) as number) > place);
    const wentLeft = shared.slice(index + 1).some((atom) => (places.get(atom) as number) < place);
    if (wentRight && wentLeft) return true;
  }
  return false;
}

/** Returns the atoms that occur once: a repeated one has no place of its own. */
function onceOnly(atoms: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const atom of atoms) counts.set(atom, (counts.get(atom) ?? 0) + 1);
  return atoms.filter((atom) => counts.get(atom) === 1);
}
