import type { JsonObject } from '@bufbuild/protobuf';
import type { Env } from '#kit/config.ts';
import type { ModelSettings } from './config.ts';

/** The model of a key alone: the small one of a current family, cheap and quick to its first token. */
const openAiModel = 'gpt-5.4-mini';
const openAiContextTokens = 400_000;

/** The embedded model; always there, so that an answer by quotation is left when every other model fails. */
export const extractiveModel: ModelSettings = {
  alias: '',
  adapter: 'extractive',
  settings: undefined,
  path: 'llm.models',
};

/** Models of a process without any in its configuration: one for each key or address in the environment. */
export function modelsFromEnv(env: Env): ModelSettings[] {
  const models: ModelSettings[] = [];
  const add = (alias: string, path: string, settings: JsonObject) =>
    models.push({ alias, adapter: 'openai-compatible', settings, path: `environment (${path})` });
  const {
    OPENAI_API_KEY: key,
    OPENAI_BASE_URL: url,
    OPENAI_MODEL: model,
    OLLAMA_HOST: host,
    OLLAMA_MODEL: local,
  } = env;
  if (url) {
    add(model || 'openai', 'OPENAI_BASE_URL', {
      base_url: url,
      ...(key ? { api_key: key } : {}),
      ...(model ? { model } : {}),
    });
  } else if (key) {
    const isDefault = !model || model === openAiModel;
    add(model || openAiModel, 'OPENAI_API_KEY', {
      base_url: 'https://api.openai.com/v1',
      api_key: key,
      model: model || openAiModel,
      ...(isDefault ? { context_tokens: openAiContextTokens } : {}),
    });
  }
  if (host) {
    add(local || 'ollama', 'OLLAMA_HOST', { base_url: ollamaUrl(host), ...(local ? { model: local } : {}) });
  }
  return models;
}

/** Ollama's own variable may lack the scheme or the port, and 0.0.0.0 is where its server listens, not where to call it. */
function ollamaUrl(host: string): string {
  const url = new URL(/^https?:\/\//.test(host) ? host : `http://${host}`);
  const isBare = url.port === '' && url.protocol === 'http:' && !/:\d+\/?$/.test(host);
  if (isBare) url.port = '11434';
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  return `${url.origin}${url.pathname.replace(/\/(?:v1\/?)?$/, '')}/v1`;
}
