import type { CallOptions, Client } from '@connectrpc/connect';
import { LRUCache } from 'lru-cache';
import type { LLMGatewayService, Model } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Logger } from '#kit/base/log.ts';

/** The models that a tenant can name. */
export interface Models {
  /** The list, the default one first; `undefined` where it cannot be had in time. `options` carries the caller. */
  list(tenant: string, options: CallOptions): Promise<readonly Model[] | undefined>;
}

/** How long a list serves before it is asked for again; meanwhile the old one goes on serving. */
const freshMs = 60_000;
/** Tenants whose lists are kept. */
const maxTenants = 1000;

/** Creates the list. Models change with the gateway's configuration only, so no question waits for them but the first one. */
export function createModels(llm: Client<typeof LLMGatewayService>, clock: () => number, log: Logger): Models {
  const lists = new LRUCache<string, { models: readonly Model[]; readAtMs: number }>({ max: maxTenants });
  const reading = new Map<string, Promise<readonly Model[] | undefined>>();

  const read = async (tenant: string, options: CallOptions) => {
    try {
      const { models } = await llm.listModels({}, options);
      lists.set(tenant, { models, readAtMs: clock() });
      return models;
    } catch (error) {
      log.warn({ err: error }, 'the list of models cannot be read');
      return undefined;
    } finally {
      reading.delete(tenant);
    }
  };

  return {
    async list(tenant, options) {
      const known = lists.get(tenant);
      if (known !== undefined && clock() - known.readAtMs < freshMs) return known.models;
      let under = reading.get(tenant);
      if (under === undefined) {
        under = read(tenant, options);
        reading.set(tenant, under);
      }
      return known?.models ?? under;
    },
  };
}
