import { LimitSyncService } from '#gen/ragmesh/accounts/v1/limit_sync_pb.ts';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { GatewayOperationsService } from '#gen/ragmesh/llm_gateway/v1/gateway_operations_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import type { Logger } from '#kit/base/log.ts';
import { defineService } from '#kit/host/define-service.ts';
import { sharedRedis } from '#kit/host/deployment.ts';
import { createHttpClient } from '#kit/http/json.ts';
import { createMasksOf } from '#kit/personal-data/request-masks.ts';
import type { TokenSigner } from '#kit/rpc/identity.ts';
import { calls } from '#kit/rpc/needs.ts';
import { createLedger } from './accounting/ledger.ts';
import { createBudgetAlerts } from './alerts/budget-alerts.ts';
import { createHedgeShare } from './attempts/hedge.ts';
import { type LlmSettings, readConfig } from './config.ts';
import { createLimits } from './limits/create-limits.ts';
import { openLimitState } from './limits/limit-state.ts';
import { openStoredLimits, type StoredLimits } from './limits/rules/stored-limits.ts';
import { createGatewayMetrics, watchLoad } from './metrics.ts';
import { createOperationRpcs } from './operations/operation-rpcs.ts';
import { createLlmGateway } from './service.ts';
import { createCatalog } from './targets/catalog.ts';
import { createCatalogHolder } from './targets/catalog-holder.ts';
import {
  createTenantTags,
  readTagSecret,
  shareTagSecret,
  type TagSchema,
  tagMigrations,
} from './targets/tenant-tag.ts';

/** The service llm-gateway: one contract for all providers of completions. */
export const llmGateway = defineService({
  name: 'llm-gateway',
  contracts: [LLMGatewayService, GatewayOperationsService],
  config: readConfig,
  needs: { audit: calls(AuditService, 'recordUsage', 'recordAllUsage') },
  // Without it, only the limits of the configuration apply.
  optionalNeeds: { accounts: calls(LimitSyncService, 'syncLimits') },
  deployment: {
    replicas: { min: 3, max: 40 },
    cpu: 1,
    callsPerReplica: 200,
    stores: ['postgres', 'redis'],
    settings: { llm_gateway: { limits: { store: sharedRedis() } } },
    callsProviders: true,
    signsTokens: true,
    isShared: ({ storage, llmGateway: section }) =>
      Boolean(storage?.database) && section?.limits?.store?.adapter === 'redis',
  },
  // In the owner too: a reranker there may ask a model.
  place: () => 'everywhere',
  state: ({ config, log, metrics, clock, random }) => openLimitState(config.limits, { log, metrics, clock, random }),
  isStateExternal: ({ llmGateway: section }) => (section?.limits?.store?.adapter ?? 'memory') !== 'memory',
  async create({ config, clients, env, log, metrics: processMetrics, clock, random, dataDir, signer, ...shared }) {
    const own = readTagSecret(dataDir);
    const secret =
      shared.postgres === undefined
        ? own
        : await shareTagSecret(await shared.openDatabase<TagSchema>('tags', tagMigrations), own);
    const metrics = createGatewayMetrics(processMetrics);
    const catalogDeps = { env, log, metrics };
    const { reserve, settle, read } = shared.state;
    const store = { isShared: shared.isStateShared || shared.state.isShared, reserve, settle, read };
    const http = createHttpClient({ maxConnections: 8 });
    const currency = () => catalogs.current.prices.currency;
    const alerts = createBudgetAlerts({ store, fetch: http.fetch, currency, log, metrics, clock, random });
    const stored = await openStored(shared.optionalClients.accounts, signer, log);
    const watched = { watch: alerts, ...(stored && { stored }) };
    const limits = createLimits(config.limits, { store, ...watched, metrics, clock, random });
    const closeLimits = async () => {
      await stored?.close();
      await limits.close();
      await alerts.close();
      await http.close();
    };
    const first = await createCatalog(config, catalogDeps).catch(async (error) => {
      await closeLimits();
      throw error;
    });
    const catalogs = createCatalogHolder(first, log);
    alerts.use(config.limits?.alerts);
    const ledger = createLedger({ audit: clients.audit, log, metrics, clock, random, signer });
    watchLoad(metrics, () => catalogs.current.targets);
    return {
      impl: {
        ...createOperationRpcs({ catalogs, limits, countedSince: clock() }),
        ...createLlmGateway({
          catalogs,
          limits,
          ledger,
          hedgeShare: createHedgeShare(),
          tagOf: createTenantTags(secret),
          masksOf: createMasksOf(config.personalData),
          log,
          metrics,
          clock,
          random,
        }),
      },
      readiness: stored === undefined ? [] : [stored.readiness],
      async reconfigure(next: LlmSettings) {
        const catalog = await createCatalog(next, catalogDeps, catalogs.current);
        try {
          limits.reconfigure(next.limits);
          alerts.use(next.limits?.alerts);
        } catch (error) {
          await catalog.close();
          throw error;
        }
        catalogs.swap(catalog);
        log.info(
          { event: 'models_reloaded', models: catalog.targets.length, prices: catalog.prices.version },
          'models reloaded',
        );
      },
      async close() {
        await catalogs.close();
        await ledger.close();
        await closeLimits();
      },
    };
  },
});

/** Follows the limits that the service `accounts` stores; `undefined`: it is not part of this installation. */
async function openStored(
  accounts: () => Parameters<typeof openStoredLimits>[0]['accounts'],
  signer: TokenSigner | undefined,
  log: Logger,
): Promise<StoredLimits | undefined> {
  if (signer === undefined) return undefined;
  try {
    return await openStoredLimits({ accounts: accounts(), signer, log });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.debug({ event: 'no_stored_limits', err: error }, 'no service for stored limits');
    return undefined;
  }
}
