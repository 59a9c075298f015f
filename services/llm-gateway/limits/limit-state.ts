import type { LLMLimitsConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { SharedState } from '#kit/host/define-service.ts';
import type { LimitStore, LimitStoreDeps, Used } from './limit-store.ts';
import { readRules } from './rules/rules.ts';

/** The counters of limits, as one process uses them. */
export type LimitState = Pick<LimitStore, 'isShared' | 'reserve' | 'settle' | 'read'>;

/**
 * Opens the counters that the limits of the configuration name, for all processes of a group. Reservations of a process that ends
 * without a word are settled as reserved: what its requests have used is not known. `path`: the place of the limits in the
 * configuration. Throws ConfigError for an unknown store, or invalid settings of it.
 */
export async function openLimitState(
  config: LLMLimitsConfig | undefined,
  deps: LimitStoreDeps,
  path = 'llm_gateway.limits',
): Promise<SharedState<LimitState>> {
  const { adapter, settings, path: storePath } = readRules(config, path).store;
  const store = await createFromAdapter<LimitStore, LimitStoreDeps>(
    new URL('../adapters/limit-store/', import.meta.url),
    adapter,
    settings,
    deps,
    storePath,
  );
  return {
    connect() {
      const held = new Map<string, Used>();
      return {
        port: {
          isShared: store.isShared,
          async reserve(demand) {
            const decision = await store.reserve(demand);
            if (decision.admitted) held.set(demand.id, { tokens: demand.tokens, costMicros: demand.costMicros });
            return decision;
          },
          read: (tenant, scopes) => store.read(tenant, scopes),
          settle(id, used) {
            held.delete(id);
            return store.settle(id, used);
          },
        },
        close() {
          for (const [id, used] of held) void store.settle(id, used);
          held.clear();
        },
      };
    },
    readiness: store.readiness === undefined ? [] : [store.readiness],
    close: () => store.close(),
  };
}
