import { RouteOrder } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Prices } from '../accounting/prices.ts';
import type { Target } from '../targets/target.ts';
import type { Needs } from './filter.ts';

/** What an order depends on beside the targets. */
export interface OrderBasis {
  needs: Needs;
  prices: Prices;
  /** A number from 0 up to 1. */
  random: () => number;
}

/** Assumed completion of a request without a limit, in tokens: for prices and reservations. */
export const defaultCompletionTokens = 1024;

/** Returns the longest completion that a target may write for a request, in tokens. */
export function maxCompletionTokensOf({ capabilities }: Target, needs: Needs): number {
  return needs.maxTokens || capabilities.maxOutputTokens || defaultCompletionTokens;
}

/** Returns the targets in the order in which a request tries them. Equal targets keep the order of the list. */
export function orderTargets(targets: readonly Target[], order: RouteOrder, basis: OrderBasis): Target[] {
  switch (order) {
    case RouteOrder.WEIGHTED:
      return byChance(targets, basis.random);
    case RouteOrder.LEAST_LATENCY:
      // A target without a measurement comes first, and so gets one.
      return sortedBy(targets, ({ latency }) => latency.ms);
    case RouteOrder.LEAST_LOAD:
      return sortedBy(targets, ({ slots, weight }) => (slots.inUse + slots.waiting) / weight);
    case RouteOrder.CHEAPEST:
      return sortedBy(targets, (target) => priceOf(target, basis));
    default:
      return [...targets];
  }
}

function priceOf(target: Target, { needs, prices }: OrderBasis): number {
  const micros = prices.maxCost(target.name, needs.promptTokens, needs.maxTokens || defaultCompletionTokens);
  return micros === undefined ? Number.POSITIVE_INFINITY : Number(micros);
}

function sortedBy(targets: readonly Target[], figure: (target: Target) => number): Target[] {
  const figures = new Map(targets.map((target) => [target, figure(target)]));
  const of = (target: Target) => figures.get(target) ?? 0;
  return targets.toSorted((a, b) => (of(a) === of(b) ? 0 : of(a) - of(b)));
}

function byChance(targets: readonly Target[], random: () => number): Target[] {
  const left = [...targets];
  const drawn: Target[] = [];
  while (left.length > 0) {
    let at = random() * left.reduce((sum, { weight }) => sum + weight, 0);
    let index = left.findIndex(({ weight }) => {
      at -= weight;
      return at < 0;
    });
    if (index === -1) index = left.length - 1;
    drawn.push(...left.splice(index, 1));
  }
  return drawn;
}
