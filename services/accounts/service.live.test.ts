import { describe, expect, test } from 'vitest';
import { ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { CredentialService } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { onPostgres } from '#kit/testing/on-postgres.ts';
import { accounts } from './index.ts';
import { administratorRoles, keyRequest } from './testing/accounts.ts';
import { createAuditStandIn } from './testing/audit-stand-in.ts';

await onPostgres(17, async (server) => {
  await import('./service.test.ts');
  await import('./erasure/erasure.test.ts');
  await import('./limits/limits.test.ts');

  describe('replicas', () => {
    test('make and end keys concurrently: an edge that follows either of them knows the same keys', async () => {
      const config = { storage: { database: await server.createDatabase() } };
      const recorder = createAuditStandIn();
      const start = () => startTestMesh([recorder.service, accounts], { config });
      await using a = await start();
      await using b = await start();
      const replicas = await Promise.all(
        [a, b].map(async (mesh) => ({
          keys: mesh.client(ApiKeyService),
          credentials: mesh.client(CredentialService),
          options: await mesh.as(testPrincipal({ roles: administratorRoles })),
          service: await mesh.as(),
        })),
      );
      type Replica = (typeof replicas)[number];
      const known = new Map<Replica, { revision: bigint; valid: Set<string> }>();
      const follow = async (replica: Replica) => {
        const state = known.get(replica) ?? { revision: 0n, valid: new Set<string>() };
        known.set(replica, state);
        for (let hasMore = true; hasMore; ) {
          const changes = await replica.credentials.syncCredentials({ afterRevision: state.revision }, replica.service);
          for (const { key, secrets } of changes.credentials) {
            if (secrets.length > 0) state.valid.add(key?.id ?? '');
            else state.valid.delete(key?.id ?? '');
          }
          ({ revision: state.revision, hasMore } = changes);
        }
        return state.valid;
      };
      const kept: string[] = [];
      const work = replicas.map(async (replica, index) => {
        const other = replicas[1 - index] as Replica;
        for (let round = 0; round < 12; round++) {
          const { key } = await replica.keys.createApiKey(keyRequest(), replica.options);
          const id = key?.id ?? '';
          if (round % 3 === 0) await other.keys.revokeApiKey({ id }, other.options);
          else kept.push(id);
          await follow(other);
        }
      });
      await Promise.all(work);
      for (const replica of replicas) expect([...(await follow(replica))].toSorted()).toEqual(kept.toSorted());
      expect(recorder.changes).toHaveLength(32);
    });
  });
});
