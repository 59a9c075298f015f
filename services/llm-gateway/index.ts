import { LLMGatewayService } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { createFromAdapter } from '#kit/adapters.ts';
import { ConfigError } from '#kit/config-error.ts';
import { defineService } from '#kit/define-service.ts';
import { readConfig } from './config.ts';
import { extractiveModel, modelsFromEnv } from './default-models.ts';
import type { Target } from './generate.ts';
import type { LlmProvider, LlmProviderDeps } from './llm-provider.ts';
import { createLlmGateway } from './service.ts';

const adapters = new URL('./adapters/llm-provider/', import.meta.url);

/** One face for every provider of completions. */
export const llmGateway = defineService({
  name: 'llm-gateway',
  contract: LLMGatewayService,
  config: readConfig,
  needs: {},
  async create({ config, env, log, metrics }) {
    const targets: Target[] = [];
    const close = async () => void (await Promise.all(targets.map(({ provider }) => provider.close())));
    const given = config.models.length > 0 ? config.models : modelsFromEnv(env);
    const isGiven = given.some(({ adapter }) => adapter === extractiveModel.adapter);
    try {
      for (const { alias, adapter, settings, path } of isGiven ? given : [...given, extractiveModel]) {
        const provider = await createFromAdapter<LlmProvider, LlmProviderDeps>(
          adapters,
          adapter,
          settings,
          { log, path },
          path,
        );
        const name = alias || provider.name;
        const isTaken = targets.some((other) => other.name === name);
        targets.push({ name, adapter, provider });
        if (isTaken) throw new ConfigError(`${path}.name`, `"${name}" names another model already`);
      }
    } catch (error) {
      await close();
      throw error;
    }
    return { impl: createLlmGateway(targets, { log, metrics }), close };
  },
});
