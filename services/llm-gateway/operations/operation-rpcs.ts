import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { RouteOrder } from '#gen/ragmesh/config/v1/config_pb.ts';
import {
  CircuitState,
  type GatewayOperationsService,
  type TargetStatusSchema,
} from '#gen/ragmesh/llm_gateway/v1/gateway_operations_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Prices } from '../accounting/prices.ts';
import type { Limits } from '../limits/limits.ts';
import type { CatalogHolder } from '../targets/catalog-holder.ts';
import type { Target } from '../targets/target.ts';

/** What the rpcs of operators depend on. */
export interface OperationDeps {
  catalogs: CatalogHolder;
  limits: Limits;
  /** When this process began to count, in milliseconds since 1970. */
  countedSince: number;
}

/** Orders as the configuration names them. */
const orders: Record<number, string> = {
  [RouteOrder.UNSPECIFIED]: 'listed',
  [RouteOrder.LISTED]: 'listed',
  [RouteOrder.WEIGHTED]: 'weighted',
  [RouteOrder.LEAST_LATENCY]: 'least_latency',
  [RouteOrder.LEAST_LOAD]: 'least_load',
  [RouteOrder.CHEAPEST]: 'cheapest',
};
const circuits = [CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN];

/** Creates the rpcs of operators. */
export function createOperationRpcs(deps: OperationDeps): ServiceHandlers<typeof GatewayOperationsService> {
  const { catalogs, limits, countedSince } = deps;
  return {
    listTargets() {
      const { targets, routes, prices } = catalogs.current;
      return {
        targets: targets.map((target) => toStatus(target, prices)),
        routes: routes.map(({ name, targets: members, order, tasks }) => ({
          ...{ name, tasks: [...tasks], order: orders[order] ?? '' },
          targets: members.map((member) => member.name),
        })),
        priceVersion: prices.version,
        currency: prices.currency,
        countedSince: timestampFromMs(countedSince),
      };
    },
    async listLimits({ keys, users }, { principal }) {
      const { standings, isShared } = await limits.standings(principal.tenant, { keys, users });
      return {
        isShared,
        limits: standings.map(({ resetsAtMs, raisedUntilMs, limit, used, ...standing }) => ({
          ...standing,
          ...{ limit: BigInt(limit), used: BigInt(used) },
          ...(resetsAtMs !== undefined && { resetsAt: timestampFromMs(resetsAtMs) }),
          ...(raisedUntilMs !== undefined && { raisedUntil: timestampFromMs(raisedUntilMs) }),
        })),
      };
    },
  };
}

function toStatus(target: Target, prices: Prices): MessageInitShape<typeof TargetStatusSchema> {
  const { name, adapter, breaker, latency, slots, weight } = target;
  const price = prices.priceOf(name);
  return {
    ...{ name, provider: adapter, weight, firstTokenMs: latency.ms },
    circuit: circuits[breaker.state] ?? CircuitState.UNSPECIFIED,
    circuitWaitMs: BigInt(Math.ceil(breaker.waitMs())),
    coolDownMs: BigInt(Math.ceil(target.coolDownMs())),
    ...{ runningCount: slots.inUse, waitingCount: slots.waiting, maxConcurrent: slots.size },
    results: [...target.results]
      .toSorted(([, a], [, b]) => b - a)
      .map(([result, count]) => ({ result, count: BigInt(count) })),
    ...(price !== undefined && { price }),
  };
}
