import { AccountErasureService } from '#gen/ragmesh/accounts/v1/account_erasure_pb.ts';
import { AuditErasureService } from '#gen/ragmesh/audit/v1/audit_erasure_pb.ts';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { ChatErasureService } from '#gen/ragmesh/chat/v1/chat_erasure_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { DocumentErasureService } from '#gen/ragmesh/indexer/v1/document_erasure_pb.ts';
import { PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { randomId } from '#kit/base/random-id.ts';
import { defineService, usesPostgres } from '#kit/host/define-service.ts';
import { actAs } from '#kit/rpc/context.ts';
import { principalOf } from '#kit/rpc/identity.ts';
import { calls } from '#kit/rpc/needs.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { readConfig } from './config.ts';
import { createErasures, type Requester } from './erasures/erasures.ts';
import { createRecords } from './records/records.ts';
import { migrations, type PrivacySchema } from './records/schema.ts';
import { applyRetention } from './retention/retention.ts';
import { createPrivacy } from './service.ts';
import { startSweeps } from './sweeps/run-sweeps.ts';

/** Time between two looks for erasures that were interrupted, and between two runs of retention, in milliseconds. */
const everyMs = { resume: 60_000, retention: 6 * 3_600_000 };
/** Age from which an erasure of another replica counts as interrupted: longer than its call may take. */
const interruptedMs = 660_000;

/** Erases, exports and holds personal data over all stores of the mesh. */
export const privacy = defineService({
  name: 'privacy',
  contracts: [PrivacyService],
  config: readConfig,
  needs: {
    accounts: calls(AccountErasureService, 'eraseAccountUser', 'exportAccountUser'),
    audit: calls(AuditService, 'queryAudit', 'getUsageReport'),
    auditErasure: calls(AuditErasureService, 'eraseAuditUser', 'eraseAuditDocument', 'expireAudit'),
    cache: calls(CacheService, 'invalidate'),
    chat: calls(
      ChatErasureService,
      'eraseChatUser',
      'eraseChatDocument',
      'expireChat',
      'setChatHold',
      'exportChatUser',
    ),
    indexer: calls(DocumentErasureService, 'eraseIndexedDocument', 'eraseEditor'),
  },
  deployment: {
    replicas: { min: 2, max: 3 },
    isOffline: true,
    callsPerReplica: 10,
    stores: ['postgres'],
    signsTokens: true,
  },
  move: ({ copyRecords }) => copyRecords('privacy', migrations),
  // Chat runs in the workers of a group, so what calls it does too.
  place: () => 'workers',
  isStateExternal: usesPostgres,
  async state({ openDatabase }) {
    const database = await openDatabase<PrivacySchema>('privacy', migrations);
    const records = createRecords(database);
    // The folder of an embedded database belongs to one process: what ran before has ended.
    if (engineOf(database) === 'sqlite') await records.forgetSweeps();
    return { connect: () => ({ port: records, close() {} }), close: async () => {} };
  },
  async create({ config, clients: stores, state: records, isStateShared, postgres, signer, clock, random, log }) {
    if (signer === undefined) {
      throw new ConfigError(
        'identity.private_key',
        'is missing: privacy completes erasures whose callers have disconnected. Set the private key of the mesh',
      );
    }
    const roles = [Role.OPERATOR, Role.AUDITOR, Role.EDITOR, Role.SERVICE, Role.READER];
    const actFor = async ({ tenant, user }: Requester, signal: AbortSignal) =>
      actAs(await signer.sign(principalOf({ tenant, user, roles })), { signal });
    const newId = () => `${clock().toString(36)}${Math.floor(random() * 2 ** 48).toString(36)}`;
    const erasures = createErasures({ records, stores, actFor, newId, clock, log });
    const heldUsers = async (tenant: string) => (await records.listHolds(tenant)).map(({ user }) => user);
    const retention = { ...config, stores, heldUsers, actFor, newId, clock, log };
    // At the start of a process that is alone, nothing is running.
    let minAgeMs = isStateShared || postgres !== undefined ? interruptedMs : 0;
    const sweeps = startSweeps(
      [
        {
          name: 'erasures',
          everyMs: everyMs.resume,
          async run(signal) {
            await erasures.resume(minAgeMs, signal);
            minAgeMs = interruptedMs;
          },
        },
        { name: 'retention', everyMs: everyMs.retention, run: (signal) => applyRetention(retention, signal) },
      ],
      { store: records, owner: randomId(random), clock, log },
    );
    return {
      impl: createPrivacy({ erasures, records, stores, retention: config.retention, clock }),
      close: () => sweeps.close(),
    };
  },
});
