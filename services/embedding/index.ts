import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { createFromAdapter } from '#kit/adapters.ts';
import { ConfigError } from '#kit/config-error.ts';
import { defineService } from '#kit/define-service.ts';
import { readConfig } from './config.ts';
import type { EmbeddingModel, EmbeddingModelDeps } from './embedding-model.ts';
import { createEmbedding, type NamedModel } from './service.ts';

const adapters = new URL('./adapters/embedding-model/', import.meta.url);

/** Texts to vectors. */
export const embedding = defineService({
  name: 'embedding',
  contract: EmbeddingService,
  config: readConfig,
  needs: {},
  async create({ config, log }) {
    const models: NamedModel[] = [];
    const close = async () => void (await Promise.all(models.map(({ model }) => model.close())));
    try {
      for (const { alias, adapter, settings, path } of config.models) {
        const model = await createFromAdapter<EmbeddingModel, EmbeddingModelDeps>(
          adapters,
          adapter,
          settings,
          { log },
          path,
        );
        const name = alias || model.name;
        const isTaken = models.some((other) => other.name === name);
        models.push({ name, adapter, model });
        if (isTaken) throw new ConfigError(`${path}.name`, `"${name}" names another model already`);
      }
    } catch (error) {
      await close();
      throw error;
    }
    return { impl: createEmbedding(models), close };
  },
});
