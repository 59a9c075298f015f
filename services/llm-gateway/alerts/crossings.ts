import type { Scope, ScopeUse } from '../limits/limit-store.ts';

/** A budget of money, and the use that it limits. */
const budgets = [
  { kind: 'costMicrosPerDay', use: 'dayMicros' },
  { kind: 'costMicrosPerMonth', use: 'monthMicros' },
] as const;

/** A kind of budget. */
export type BudgetKind = (typeof budgets)[number]['kind'];

/** A threshold that a budget has reached. */
export interface Crossing {
  scope: Scope;
  kind: BudgetKind;
  /** The budget and what is used of it, reservations included, in millionths of the currency unit. */
  limitMicros: number;
  usedMicros: number;
  /** The highest threshold that it has reached, in percent of the budget. */
  percent: number;
}

/**
 * Returns the budgets of a scope that have reached a threshold, each with the highest one. `refused`: budgets that have refused a request count as
 * used up, because what is left is too little for a request.
 */
export function crossingsOf(
  scope: Scope,
  use: ScopeUse,
  refused: ReadonlySet<BudgetKind>,
  percents: readonly number[],
): Crossing[] {
  return budgets.flatMap(({ kind, use: name }) => {
    const limitMicros = scope.limits[kind];
    if (limitMicros === 0) return [];
    const usedMicros = use[name];
    const share = refused.has(kind) ? Math.max(limitMicros, usedMicros) : usedMicros;
    const reached = percents.filter((percent) => share >= (limitMicros * percent) / 100);
    return reached.length === 0 ? [] : [{ scope, kind, limitMicros, usedMicros, percent: Math.max(...reached) }];
  });
}

/** Returns whether a scope has a budget of money. */
export function hasBudget({ limits }: Scope): boolean {
  return budgets.some(({ kind }) => limits[kind] > 0);
}

/** Returns whether a limit is a budget of money. */
export function isBudget(kind: string): kind is BudgetKind {
  return budgets.some((budget) => budget.kind === kind);
}
