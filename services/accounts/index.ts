import { AccountErasureService } from '#gen/ragmesh/accounts/v1/account_erasure_pb.ts';
import { ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { CredentialService } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import { LimitService } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { LimitSyncService } from '#gen/ragmesh/accounts/v1/limit_sync_pb.ts';
import { TenantService } from '#gen/ragmesh/accounts/v1/tenant_pb.ts';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { randomId } from '#kit/base/random-id.ts';
import { defineService, usesPostgres } from '#kit/host/define-service.ts';
import { calls } from '#kit/rpc/needs.ts';
import { readConfig } from './config.ts';
import { createChanges } from './records/changes.ts';
import { type AccountsSchema, migrations } from './records/schema.ts';
import { createAccounts } from './service.ts';

/** Holds API keys, service accounts and tenants, and informs the edges of their changes. */
export const accounts = defineService({
  name: 'accounts',
  contracts: [ApiKeyService, TenantService, CredentialService, LimitService, LimitSyncService, AccountErasureService],
  config: readConfig,
  needs: { audit: calls(AuditService, 'record') },
  // It records a change in the audit of the tenant that the change concerns, which may be another one than the caller's.
  deployment: { replicas: { min: 2, max: 3 }, callsPerReplica: 100, stores: ['postgres'], signsTokens: true },
  place: (config) => (usesPostgres(config) ? 'everywhere' : 'owner'),
  move: ({ copyRecords }) => copyRecords('accounts', migrations),
  async create({ config, clients, openDatabase, clock, random, log, signer }) {
    if (signer === undefined) {
      const problem = 'is missing: accounts signs the entries of the audit. Set the private key of the mesh';
      throw new ConfigError('identity.private_key', problem);
    }
    const db = await openDatabase<AccountsSchema>('accounts', migrations);
    const changes = createChanges(clients.audit, signer, clock, () => randomId(random));
    return { impl: createAccounts({ db, config, changes, clock, log }), close: async () => {} };
  },
});
