import type { JsonObject } from '@bufbuild/protobuf';
import type { Env } from '#kit/host/config/config.ts';
import type { ModelSettings } from '../config.ts';

/** Models of a key alone: the small one of a current family, cheap and quick to its first token. */
const defaults = { openai: 'gpt-5.4-mini', anthropic: 'claude-haiku-5-5', dashscope: 'qwen-flash' } as const;

/** The embedded model; always there, so that an answer by quotation is left when every other model fails. */
export const extractiveModel: ModelSettings = {
  alias: '',
  adapter: 'extractive',
  settings: undefined,
  path: 'llm_gateway.models',
};

/** Models of a process without any in its configuration: one for each key or address in the environment, the first one the default. */
export function modelsFromEnv(env: Env): ModelSettings[] {
  const models: ModelSettings[] = [];
  const add = (adapter: string, alias: string, variable: string, settings: JsonObject) =>
    models.push({ alias, adapter, settings, path: `environment (${variable})` });

  const { OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL } = env;
  if (OPENAI_BASE_URL) {
    add('openai-compatible', OPENAI_MODEL || 'openai', 'OPENAI_BASE_URL', {
      base_url: OPENAI_BASE_URL,
      ...(OPENAI_API_KEY ? { api_key: OPENAI_API_KEY } : {}),
      ...(OPENAI_MODEL ? { model: OPENAI_MODEL } : {}),
    });
  } else if (OPENAI_API_KEY) {
    const model = OPENAI_MODEL || defaults.openai;
    add('openai', model, 'OPENAI_API_KEY', { api_key: OPENAI_API_KEY, model });
  }

  const { AZURE_OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_DEPLOYMENT, AZURE_OPENAI_API_VERSION } = env;
  if (AZURE_OPENAI_API_KEY && AZURE_OPENAI_ENDPOINT && AZURE_OPENAI_DEPLOYMENT) {
    add('azure-openai', AZURE_OPENAI_DEPLOYMENT, 'AZURE_OPENAI_API_KEY', {
      endpoint: AZURE_OPENAI_ENDPOINT,
      api_key: AZURE_OPENAI_API_KEY,
      deployment: AZURE_OPENAI_DEPLOYMENT,
      ...(AZURE_OPENAI_API_VERSION ? { api_version: AZURE_OPENAI_API_VERSION } : {}),
    });
  }

  const { ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_MODEL } = env;
  if (ANTHROPIC_API_KEY) {
    const model = ANTHROPIC_MODEL || defaults.anthropic;
    add('anthropic', model, 'ANTHROPIC_API_KEY', {
      api_key: ANTHROPIC_API_KEY,
      model,
      ...(ANTHROPIC_BASE_URL ? { base_url: ANTHROPIC_BASE_URL } : {}),
      // It thinks by default, before its first word; a question over evidence does not wait for that unless the caller says so.
      ...(model === defaults.anthropic ? { effort: 'none', context_tokens: 1_000_000 } : {}),
    });
  }

  const { DASHSCOPE_API_KEY, DASHSCOPE_MODEL, DASHSCOPE_REGION } = env;
  if (DASHSCOPE_API_KEY) {
    const model = DASHSCOPE_MODEL || defaults.dashscope;
    add('dashscope', model, 'DASHSCOPE_API_KEY', {
      api_key: DASHSCOPE_API_KEY,
      model,
      ...(DASHSCOPE_REGION ? { region: DASHSCOPE_REGION } : {}),
    });
  }

  // No model of Ark is open to every account: without its name the key does nothing.
  const { ARK_API_KEY, ARK_MODEL } = env;
  if (ARK_API_KEY && ARK_MODEL) add('ark', ARK_MODEL, 'ARK_API_KEY', { api_key: ARK_API_KEY, model: ARK_MODEL });

  const { OLLAMA_HOST, OLLAMA_MODEL } = env;
  if (OLLAMA_HOST) {
    add('ollama', OLLAMA_MODEL || 'ollama', 'OLLAMA_HOST', {
      base_url: ollamaUrl(OLLAMA_HOST),
      ...(OLLAMA_MODEL ? { model: OLLAMA_MODEL } : {}),
    });
  }
  return models;
}

/** Ollama's own variable may lack the scheme or the port, and 0.0.0.0 is where its server listens, not where to call it. */
function ollamaUrl(host: string): string {
  const url = new URL(/^https?:\/\//.test(host) ? host : `http://${host}`);
  const isBare = url.port === '' && url.protocol === 'http:' && !/:\d+\/?$/.test(host);
  if (isBare) url.port = '11434';
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  return `${url.origin}${url.pathname.replace(/\/(?:v1\/?)?$/, '')}`;
}
