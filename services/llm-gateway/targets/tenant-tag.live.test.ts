import { expect, test } from 'vitest';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { onPostgres } from '#kit/testing/on-postgres.ts';
import { createTenantTags, readTagSecret, shareTagSecret, type TagSchema, tagMigrations } from './tenant-tag.ts';

await onPostgres(1, async (server) => {
  test('replicas that start at the same time, each in a folder of its own, name a tenant alike', async () => {
    const storage = { database: await server.createDatabase() };
    const tags: string[] = [];
    const gateway = defineService({
      name: 'llm-gateway',
      contracts: [],
      config: () => ({}),
      needs: {},
      async create({ openDatabase, dataDir }) {
        const database = await openDatabase<TagSchema>('tags', tagMigrations);
        tags.push(createTenantTags(await shareTagSecret(database, readTagSecret(dataDir)))('acme'));
        return { impl: {}, close: async () => {} };
      },
    });
    const meshes = await Promise.all([1, 2, 3].map(() => startTestMesh([gateway], { config: { storage } })));
    for (const mesh of meshes) await mesh.close();
    expect(new Set(tags).size).toBe(1);
    expect(tags).toHaveLength(3);
  });
});
