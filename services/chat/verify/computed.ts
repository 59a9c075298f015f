import { readClaimFacts } from '#kit/text/facts/fact-set.ts';
import type { Amount } from '#kit/text/facts/units-compare.ts';

/**
 * The numbers that an amount of a claim may be computed from. Those of the passages count only beside one of the question, or if the claim
 * says that it computes: among the many numbers of a page some pair adds up to almost anything.
 */
export interface Operands {
  /** Amounts that the claim itself names and its sources have. */
  stated: readonly Amount[];
  asked: readonly Amount[];
  cited: readonly Amount[];
  /** The claim says that it computes: "in total", 一共. */
  isSaid: boolean;
}

/** Most amounts of a text that are combined. */
const maxAmounts = 40;
const computes =
  /\b(?:in total|total(?:s|ling)?|altogether|sum|combined|together|difference|more than|less than|cheaper|saves?|saving|left over|remain(?:s|ing|der)?|per cent of|% of|times|plus|minus|each|per)\b|一共|总共|合计|共计|总计|加起来|相差|差额|差价|省下?|便宜|多出|还剩|剩余|平均|乘|加上|减去|[+×÷=＋＝]/i;

/** Returns whether a claim says that it computes something. */
export const saysComputation = (claim: string): boolean => computes.test(claim);

/** Returns the amounts of a text. */
export function amountsOf(text: string): Amount[] {
  return readClaimFacts(text)
    .flatMap((fact) => (fact.kind === 'amount' ? [fact.amount] : []))
    .slice(0, maxAmounts);
}

/** Returns whether an amount is a sum, difference, product, quotient or percentage of amounts that the sources have. */
export function isComputed(result: Amount, { stated, asked, cited, isSaid }: Operands): boolean {
  const near = [...stated, ...asked];
  const pairs = isSaid ? [...near, ...cited] : near;
  return (
    pairs.some((a, at) => pairs.some((b, other) => at !== other && follows(result, a, b))) ||
    cited.some((a) => asked.some((b) => follows(result, a, b))) ||
    sumOf(result, stated) ||
    tariffs(result, [...stated, ...cited], asked)
  );
}

/** Returns whether a result follows from two amounts, in this order or the other. */
function follows(result: Amount, a: Amount, b: Amount): boolean {
  if (a.dimension === b.dimension) {
    if (
      sameKind(result, a) &&
      (is(result, a.value + b.value) || is(result, a.value - b.value) || is(result, b.value - a.value))
    ) {
      return true;
    }
    return result.dimension === 'percent' && b.value !== 0 && is(result, (100 * a.value) / b.value);
  }
  return scaled(result, a, b) || scaled(result, b, a);
}

/** Returns whether a result is an amount times or by a number of things, or a percentage of it, added or taken away. */
function scaled(result: Amount, amount: Amount, factor: Amount): boolean {
  if (amount.dimension === undefined || !sameKind(result, amount)) return false;
  const { value } = amount;
  if (factor.dimension === 'percent') {
    const share = (value * factor.value) / 100;
    return is(result, share) || is(result, value - share) || is(result, value + share);
  }
  // Money alone is paid for each of several things: 3 kg do not take three times as long.
  if (!isMoney(amount)) return false;
  const count = Number(factor.written);
  return is(result, value * count) || (count !== 0 && is(result, value / count));
}

/** Returns whether a result is the sum of all amounts of its kind. */
function sumOf(result: Amount, amounts: readonly Amount[]): boolean {
  const same = amounts.filter((amount) => sameKind(result, amount));
  return (
    same.length > 2 &&
    is(
      result,
      same.reduce((sum, { value }) => sum + value, 0),
    )
  );
}

/** Returns whether a result is a price for the first of several things, and another one for each further thing. */
function tariffs(result: Amount, rates: readonly Amount[], counts: readonly Amount[]): boolean {
  const same = rates.filter((rate) => isMoney(rate) && sameKind(result, rate));
  return counts.some(({ written, dimension }) => {
    const further = Number(written) - 1;
    if (dimension === result.dimension || further < 1) return false;
    // The price for each further thing is written right after that for the first one, and is lower.
    return same.some((first, at) => {
      const each = same[at + 1]?.value ?? Number.NaN;
      return each <= first.value && is(result, first.value + further * each);
    });
  });
}

const isMoney = ({ dimension }: Amount): boolean => /^[a-z]{3}$/.test(dimension ?? '');
const sameKind = (a: Amount, b: Amount): boolean => a.dimension === b.dimension;

/** Results are written with two decimals at most. */
const is = ({ value }: Amount, computed: number): boolean => computed > 0 && Math.abs(value - computed) < 0.006;
