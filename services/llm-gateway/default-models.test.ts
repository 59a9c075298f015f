import { expect, test } from 'vitest';
import { modelsFromEnv } from './default-models.ts';

test.each([
  ['nothing', {}, []],
  [
    'a key',
    { OPENAI_API_KEY: 'sk' },
    [
      [
        'gpt-5.4-mini',
        { base_url: 'https://api.openai.com/v1', api_key: 'sk', model: 'gpt-5.4-mini', context_tokens: 400_000 },
      ],
    ],
  ],
  [
    'a key and a model',
    { OPENAI_API_KEY: 'sk', OPENAI_MODEL: 'o9' },
    [['o9', { base_url: 'https://api.openai.com/v1', api_key: 'sk', model: 'o9' }]],
  ],
  [
    'an address without a key',
    { OPENAI_BASE_URL: 'http://vllm:8000/v1' },
    [['openai', { base_url: 'http://vllm:8000/v1' }]],
  ],
  ['a bare Ollama', { OLLAMA_HOST: '0.0.0.0' }, [['ollama', { base_url: 'http://127.0.0.1:11434/v1' }]]],
  [
    'an Ollama with port and model',
    { OLLAMA_HOST: 'gpu:1234', OLLAMA_MODEL: 'qwen3' },
    [['qwen3', { base_url: 'http://gpu:1234/v1', model: 'qwen3' }]],
  ],
  [
    'an Ollama behind TLS',
    { OLLAMA_HOST: 'https://ai.example.com/' },
    [['ollama', { base_url: 'https://ai.example.com/v1' }]],
  ],
  ['an Ollama by its /v1', { OLLAMA_HOST: 'http://gpu:11434/v1' }, [['ollama', { base_url: 'http://gpu:11434/v1' }]]],
  [
    'both',
    { OPENAI_API_KEY: 'sk', OPENAI_MODEL: 'o9', OLLAMA_HOST: 'gpu', OLLAMA_MODEL: 'q' },
    [
      ['o9', { base_url: 'https://api.openai.com/v1', api_key: 'sk', model: 'o9' }],
      ['q', { base_url: 'http://gpu:11434/v1', model: 'q' }],
    ],
  ],
])('the environment gives models: %s', (_, env, models) => {
  expect(modelsFromEnv(env).map(({ alias, settings }) => [alias, settings])).toEqual(models);
});
