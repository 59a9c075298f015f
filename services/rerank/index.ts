import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { createFromAdapter } from '#kit/adapters.ts';
import { ConfigError } from '#kit/config-error.ts';
import { defineService } from '#kit/define-service.ts';
import { readConfig } from './config.ts';
import type { RerankModel, RerankModelDeps } from './rerank-model.ts';
import { createRerank, type NamedModel } from './service.ts';

const adapters = new URL('./adapters/rerank-model/', import.meta.url);

/** Candidates in the order of their worth for a question. */
export const rerank = defineService({
  name: 'rerank',
  contract: RerankService,
  config: readConfig,
  needs: {},
  async create({ config, log }) {
    const models: NamedModel[] = [];
    const close = async () => void (await Promise.all(models.map(({ model }) => model.close())));
    try {
      for (const { alias, adapter, settings, path } of config.models) {
        const model = await createFromAdapter<RerankModel, RerankModelDeps>(adapters, adapter, settings, { log }, path);
        const name = alias || model.name;
        const isTaken = models.some((other) => other.name === name);
        models.push({ name, model });
        if (isTaken) throw new ConfigError(`${path}.name`, `"${name}" names another model already`);
      }
    } catch (error) {
      await close();
      throw error;
    }
    return { impl: createRerank(models), close };
  },
});
