import type { CallOptions, Client } from '@connectrpc/connect';
import { LRUCache } from 'lru-cache';
import type { LLMGatewayService, Model } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Logger } from '#kit/base/log.ts';

/** The models that a tenant can name. */
export interface Models {
  /** Returns the list, the default model first; `undefined` if it cannot be read. `options` carries the caller's identity. */
  list(tenant: string, options: CallOptions): Promise<readonly Model[] | undefined>;
}

/** Age from which a list is read again, in milliseconds; meanwhile the old list is used. */
const freshMs = 60_000;
/** Tenants whose lists are kept. */
const maxTenants = 1000;

/** Creates the list. Models change only with the gateway's configuration, so only the first question waits for them. */
export function createModels(
  llm: Pick<Client<typeof LLMGatewayService>, 'listModels'>,
  clock: () => number,
  log: Logger,
): Models {
  const lists = new LRUCache<string, { models: readonly Model[]; readAtMs: number }>({ max: maxTenants });
  const reading = new Map<string, Promise<readonly Model[] | undefined>>();

  const read = async (tenant: string, options: CallOptions) => {
    try {
      const { models } = await llm.listModels({}, options);
      lists.set(tenant, { models, readAtMs: clock() });
      return models;
    } catch (error) {
      log.warn({ err: error, event: 'list_models_failed', tenant }, 'list models failed');
      return undefined;
    } finally {
      reading.delete(tenant);
    }
  };

  return {
    async list(tenant, options) {
      const known = lists.get(tenant);
      if (known !== undefined && clock() - known.readAtMs < freshMs) return known.models;
      let running = reading.get(tenant);
      if (running === undefined) {
        running = read(tenant, options);
        reading.set(tenant, running);
      }
      return known?.models ?? running;
    },
  };
}

/** Returns whether a model writes text of its own; a model that is not listed is assumed to. */
export function isGenerative(name: string, models: readonly Model[] | undefined): boolean {
  return models?.find((model) => model.name === name)?.generative ?? true;
}

/** Returns the vocabulary of a model's tokens; empty: not known. */
export function tokenizerOf(name: string, models: readonly Model[] | undefined): string {
  return models?.find((model) => model.name === name)?.tokenizer ?? '';
}

/** Returns whether a model can call tools; a model that is not listed cannot. */
export function canCallTools(name: string, models: readonly Model[] | undefined): boolean {
  return models?.find((model) => model.name === name)?.tools ?? false;
}
