import type { AccountErasureService } from '#gen/ragmesh/accounts/v1/account_erasure_pb.ts';
import type { ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import type { CredentialService } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import type { LimitService } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import type { LimitSyncService } from '#gen/ragmesh/accounts/v1/limit_sync_pb.ts';
import type { TenantService } from '#gen/ragmesh/accounts/v1/tenant_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { createCredentialRpcs } from './credentials/credential-rpcs.ts';
import { createErasureRpcs } from './erasure/erasure-rpcs.ts';
import { createKeyRpcs, type KeyDeps } from './keys/key-rpcs.ts';
import { createLimitRpcs } from './limits/limit-rpcs.ts';
import { createLimitSyncRpcs } from './limits/sync-rpcs.ts';
import { createTenantRpcs } from './tenants/tenant-rpcs.ts';

/** The rpcs of all contracts. */
export type AccountsRpcs = ServiceHandlers<typeof ApiKeyService> &
  ServiceHandlers<typeof TenantService> &
  ServiceHandlers<typeof CredentialService> &
  ServiceHandlers<typeof AccountErasureService> &
  ServiceHandlers<typeof LimitService> &
  ServiceHandlers<typeof LimitSyncService>;

/** Creates the service. */
export function createAccounts(deps: KeyDeps): AccountsRpcs {
  return {
    ...createKeyRpcs(deps),
    ...createTenantRpcs(deps.db, deps.changes, deps.clock),
    ...createCredentialRpcs(deps),
    ...createErasureRpcs(deps),
    ...createLimitRpcs(deps),
    ...createLimitSyncRpcs(deps.db),
  };
}
