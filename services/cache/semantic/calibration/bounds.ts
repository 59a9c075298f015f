// Bounds of the rate of an event that was seen `count` times in `total`. Confidence 95 % (two-sided), so each bound alone holds with 97.5 %.

const z = 1.959963984540054;

/** Returns Wilson's score interval (Wilson 1927, "Probable inference, the law of succession, and statistical inference"). */
export function wilson(count: number, total: number): { low: number; high: number } {
  if (total === 0) return { low: 0, high: 1 };
  const rate = count / total;
  const scale = 1 + (z * z) / total;
  const middle = (rate + (z * z) / (2 * total)) / scale;
  const half = (z / scale) * Math.sqrt((rate * (1 - rate)) / total + (z * z) / (4 * total * total));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/**
 * Returns the exact upper bound of Clopper and Pearson (1934): the rate at which `count` or fewer are seen with 2.5 %. By bisection over
 * the binomial distribution; `total` up to about 10⁶.
 */
export function clopperPearsonHigh(count: number, total: number): number {
  if (count >= total) return 1;
  let low = count / total;
  let high = 1;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (binomialAtMost(count, total, middle) > 0.025) low = middle;
    else high = middle;
  }
  return high;
}

/** P(X ≤ count) for X binomial. Terms are added from the largest down until they are negligible. */
function binomialAtMost(count: number, total: number, rate: number): number {
  if (rate <= 0) return 1;
  if (rate >= 1) return 0;
  const odds = (1 - rate) / rate;
  const mean = total * rate;
  // Above the mean the other tail is the shorter sum.
  if (count > mean) return 1 - binomialAtMost(total - count - 1, total, 1 - rate);
  let term = Math.exp(
    logGamma(total + 1) -
      logGamma(count + 1) -
      logGamma(total - count + 1) +
      count * Math.log(rate) +
      (total - count) * Math.log1p(-rate),
  );
  let sum = 0;
  for (let index = count; index >= 0 && term > 0; index--) {
    sum += term;
    if (term < sum * 1e-15) break;
    term *= (index / (total - index + 1)) * odds;
  }
  return Math.min(1, sum);
}

/** ln Γ(x) for x ≥ 1, by Lanczos' approximation (g = 7, nine terms); relative error below 1e-13. */
function logGamma(x: number): number {
  const terms = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const shifted = x - 1;
  let sum = terms[0] as number;
  for (let index = 1; index < terms.length; index++) sum += (terms[index] as number) / (shifted + index);
  const base = shifted + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(base) - base + Math.log(sum);
}
