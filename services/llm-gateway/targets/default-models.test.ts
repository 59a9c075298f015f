import { expect, test } from 'vitest';
import { createLogger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { LlmProvider, LlmProviderDeps } from '../providers/llm-provider.ts';
import { modelsFromEnv } from './default-models.ts';

test.each([
  ['nothing', {}, []],
  ['a key of OpenAI', { OPENAI_API_KEY: 'sk' }, [['gpt-5.4-mini', 'openai', { api_key: 'sk', model: 'gpt-5.4-mini' }]]],
  [
    'a key and a model',
    { OPENAI_API_KEY: 'sk', OPENAI_MODEL: 'o9' },
    [['o9', 'openai', { api_key: 'sk', model: 'o9' }]],
  ],
  [
    'an address without a key',
    { OPENAI_BASE_URL: 'http://vllm:8000/v1' },
    [['openai', 'openai-compatible', { base_url: 'http://vllm:8000/v1' }]],
  ],
  [
    'an address with everything',
    { OPENAI_BASE_URL: 'http://vllm:8000/v1', OPENAI_API_KEY: 'sk', OPENAI_MODEL: 'qwen3' },
    [['qwen3', 'openai-compatible', { base_url: 'http://vllm:8000/v1', api_key: 'sk', model: 'qwen3' }]],
  ],
  [
    'Azure',
    {
      AZURE_OPENAI_API_KEY: 'k',
      AZURE_OPENAI_ENDPOINT: 'https://r.openai.azure.com',
      AZURE_OPENAI_DEPLOYMENT: 'gpt',
      AZURE_OPENAI_API_VERSION: '2024-10-21',
    },
    [
      [
        'gpt',
        'azure-openai',
        { endpoint: 'https://r.openai.azure.com', api_key: 'k', deployment: 'gpt', api_version: '2024-10-21' },
      ],
    ],
  ],
  ['Azure without a deployment', { AZURE_OPENAI_API_KEY: 'k', AZURE_OPENAI_ENDPOINT: 'https://r' }, []],
  [
    'a key of Anthropic',
    { ANTHROPIC_API_KEY: 'k' },
    [
      [
        'claude-haiku-5-5',
        'anthropic',
        { api_key: 'k', model: 'claude-haiku-5-5', effort: 'none', context_tokens: 1_000_000 },
      ],
    ],
  ],
  [
    'a key of Model Studio',
    { DASHSCOPE_API_KEY: 'k', DASHSCOPE_REGION: 'intl' },
    [['qwen-flash', 'dashscope', { api_key: 'k', model: 'qwen-flash', region: 'intl' }]],
  ],
  ['a key of Ark alone', { ARK_API_KEY: 'k' }, []],
  [
    'a key and a model of Ark',
    { ARK_API_KEY: 'k', ARK_MODEL: 'ep-1' },
    [['ep-1', 'ark', { api_key: 'k', model: 'ep-1' }]],
  ],
  ['a bare Ollama', { OLLAMA_HOST: '0.0.0.0' }, [['ollama', 'ollama', { base_url: 'http://127.0.0.1:11434' }]]],
  [
    'an Ollama with port and model',
    { OLLAMA_HOST: 'gpu:1234', OLLAMA_MODEL: 'qwen3' },
    [['qwen3', 'ollama', { base_url: 'http://gpu:1234', model: 'qwen3' }]],
  ],
  [
    'an Ollama behind TLS',
    { OLLAMA_HOST: 'https://ai.example.com/' },
    [['ollama', 'ollama', { base_url: 'https://ai.example.com' }]],
  ],
  [
    'an Ollama by its /v1',
    { OLLAMA_HOST: 'http://gpu:11434/v1' },
    [['ollama', 'ollama', { base_url: 'http://gpu:11434' }]],
  ],
  [
    'several',
    { OLLAMA_HOST: 'gpu', OLLAMA_MODEL: 'q', OPENAI_API_KEY: 'sk', OPENAI_MODEL: 'o9' },
    [
      ['o9', 'openai', { api_key: 'sk', model: 'o9' }],
      ['q', 'ollama', { base_url: 'http://gpu:11434', model: 'q' }],
    ],
  ],
])('the environment gives models, and their adapters take the settings: %s', async (_, env, expected) => {
  const models = modelsFromEnv(env);
  expect(models.map(({ alias, adapter, settings }) => [alias, adapter, settings])).toEqual(expected);
  const folder = new URL('../adapters/llm-provider/', import.meta.url);
  for (const { adapter, settings, path } of models) {
    const deps = { log: createLogger('silent'), path, fetch: globalThis.fetch };
    const provider = await createFromAdapter<LlmProvider, LlmProviderDeps>(folder, adapter, settings, deps, path);
    await provider.close();
  }
});
