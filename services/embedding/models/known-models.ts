/** What is known of a model by its name. */
export interface KnownModel {
  /** Length of its vectors by default. */
  dimensions: number;
  /** Longest text, in tokens. */
  maxInputTokens: number;
}

/**
 * Models by their names, from their vendors' pages, so that their dimensions need not be looked up: platform.openai.com/docs/guides/embeddings,
 * help.aliyun.com/model-studio/text-embedding-synchronous-api, volcengine.com/docs/82379/1330310, ollama.com/library, and the model cards
 * on huggingface.co. Compared without the owner ("BAAI/") and the tag (":latest"), in lower case.
 */
const known: Record<string, KnownModel> = {
  'text-embedding-3-small': { dimensions: 1536, maxInputTokens: 8192 },
  'text-embedding-3-large': { dimensions: 3072, maxInputTokens: 8192 },
  'text-embedding-ada-002': { dimensions: 1536, maxInputTokens: 8192 },
  'text-embedding-v1': { dimensions: 1536, maxInputTokens: 2048 },
  'text-embedding-v2': { dimensions: 1536, maxInputTokens: 2048 },
  'text-embedding-v3': { dimensions: 1024, maxInputTokens: 8192 },
  'text-embedding-v4': { dimensions: 1024, maxInputTokens: 8192 },
  'nomic-embed-text': { dimensions: 768, maxInputTokens: 0 },
  'mxbai-embed-large': { dimensions: 1024, maxInputTokens: 512 },
  'all-minilm': { dimensions: 384, maxInputTokens: 256 },
  'all-minilm-l6-v2': { dimensions: 384, maxInputTokens: 256 },
  'bge-m3': { dimensions: 1024, maxInputTokens: 8192 },
  'bge-large-zh-v1.5': { dimensions: 1024, maxInputTokens: 512 },
  'bge-base-zh-v1.5': { dimensions: 768, maxInputTokens: 512 },
  'bge-small-zh-v1.5': { dimensions: 512, maxInputTokens: 512 },
  'bge-large-en-v1.5': { dimensions: 1024, maxInputTokens: 512 },
  'bge-base-en-v1.5': { dimensions: 768, maxInputTokens: 512 },
  'bge-small-en-v1.5': { dimensions: 384, maxInputTokens: 512 },
  'qwen3-embedding-0.6b': { dimensions: 1024, maxInputTokens: 32_768 },
  'qwen3-embedding-4b': { dimensions: 2560, maxInputTokens: 32_768 },
  'qwen3-embedding-8b': { dimensions: 4096, maxInputTokens: 32_768 },
};

/** What is known of a model; `undefined`: nothing. */
export function knownModel(model: string): KnownModel | undefined {
  const plain = model.toLowerCase().replace(/^.*\//, '');
  return known[plain] ?? known[plain.replace(/:.*$/, '')];
}
