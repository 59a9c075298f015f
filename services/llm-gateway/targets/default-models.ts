import type { JsonObject } from '@bufbuild/protobuf';
import type { Env } from '#kit/host/config/config.ts';
import type { ModelSettings } from '../config.ts';

/** Model of each key without a model name: the small one of a current family, cheap and with a fast first token. */
const defaults = { openai: 'gpt-5.4-mini', anthropic: 'claude-haiku-5-5', dashscope: 'qwen-flash' } as const;

/** The embedded model. It is always configured, so that an answer by quotation is possible when every other model fails. */
export const extractiveModel: ModelSettings = {
  alias: '',
  adapter: 'extractive',
  settings: undefined,
  path: 'llm_gateway.models',
};

/** Returns the models of a configuration without models: one for each key or address in the environment. The first is the default. */
export function modelsFromEnv(env: Env): ModelSettings[] {
  return [fromOpenAi, fromAzure, fromAnthropic, fromDashscope, fromArk, fromOllama].flatMap((read) => read(env) ?? []);
}

function modelOf(adapter: string, alias: string, variable: string, settings: JsonObject): ModelSettings {
  return { alias, adapter, settings, path: `environment (${variable})` };
}

function fromOpenAi({ OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL }: Env): ModelSettings | undefined {
  if (OPENAI_BASE_URL) {
    return modelOf('openai-compatible', OPENAI_MODEL || 'openai', 'OPENAI_BASE_URL', {
      base_url: OPENAI_BASE_URL,
      ...(OPENAI_API_KEY ? { api_key: OPENAI_API_KEY } : {}),
      ...(OPENAI_MODEL ? { model: OPENAI_MODEL } : {}),
    });
  }
  if (!OPENAI_API_KEY) return undefined;
  const model = OPENAI_MODEL || defaults.openai;
  return modelOf('openai', model, 'OPENAI_API_KEY', { api_key: OPENAI_API_KEY, model });
}

function fromAzure(env: Env): ModelSettings | undefined {
  const { AZURE_OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_DEPLOYMENT, AZURE_OPENAI_API_VERSION } = env;
  if (!AZURE_OPENAI_API_KEY || !AZURE_OPENAI_ENDPOINT || !AZURE_OPENAI_DEPLOYMENT) return undefined;
  return modelOf('azure-openai', AZURE_OPENAI_DEPLOYMENT, 'AZURE_OPENAI_API_KEY', {
    endpoint: AZURE_OPENAI_ENDPOINT,
    api_key: AZURE_OPENAI_API_KEY,
    deployment: AZURE_OPENAI_DEPLOYMENT,
    ...(AZURE_OPENAI_API_VERSION ? { api_version: AZURE_OPENAI_API_VERSION } : {}),
  });
}

function fromAnthropic({ ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_MODEL }: Env): ModelSettings | undefined {
  if (!ANTHROPIC_API_KEY) return undefined;
  const model = ANTHROPIC_MODEL || defaults.anthropic;
  return modelOf('anthropic', model, 'ANTHROPIC_API_KEY', {
    api_key: ANTHROPIC_API_KEY,
    model,
    ...(ANTHROPIC_BASE_URL ? { base_url: ANTHROPIC_BASE_URL } : {}),
    // By default it thinks before its first word, which delays the answer; a caller can ask for it.
    ...(model === defaults.anthropic ? { effort: 'none', context_tokens: 1_000_000 } : {}),
  });
}

function fromDashscope({ DASHSCOPE_API_KEY, DASHSCOPE_MODEL, DASHSCOPE_REGION }: Env): ModelSettings | undefined {
  if (!DASHSCOPE_API_KEY) return undefined;
  const model = DASHSCOPE_MODEL || defaults.dashscope;
  return modelOf('dashscope', model, 'DASHSCOPE_API_KEY', {
    api_key: DASHSCOPE_API_KEY,
    model,
    ...(DASHSCOPE_REGION ? { region: DASHSCOPE_REGION } : {}),
  });
}

// No model of Ark is open to every account, so the key needs the name of a model.
function fromArk({ ARK_API_KEY, ARK_MODEL }: Env): ModelSettings | undefined {
  if (!ARK_API_KEY || !ARK_MODEL) return undefined;
  return modelOf('ark', ARK_MODEL, 'ARK_API_KEY', { api_key: ARK_API_KEY, model: ARK_MODEL });
}

function fromOllama({ OLLAMA_HOST, OLLAMA_MODEL }: Env): ModelSettings | undefined {
  if (!OLLAMA_HOST) return undefined;
  return modelOf('ollama', OLLAMA_MODEL || 'ollama', 'OLLAMA_HOST', {
    base_url: ollamaUrl(OLLAMA_HOST),
    ...(OLLAMA_MODEL ? { model: OLLAMA_MODEL } : {}),
  });
}

/** Returns the address of Ollama. Its own variable may lack the scheme or the port, and clients cannot call 0.0.0.0. */
function ollamaUrl(host: string): string {
  const url = new URL(/^https?:\/\//.test(host) ? host : `http://${host}`);
  const isBare = url.port === '' && url.protocol === 'http:' && !/:\d+\/?$/.test(host);
  if (isBare) url.port = '11434';
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  return `${url.origin}${url.pathname.replace(/\/(?:v1\/?)?$/, '')}`;
}
