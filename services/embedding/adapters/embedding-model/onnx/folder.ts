import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { ConfigError } from '#kit/base/config-error.ts';
import { type Pooling, poolings } from './pool-tokens.ts';

/** What a model folder says of itself. */
export interface ModelFolder {
  /** Absolute path. */
  path: string;
  name: string;
  /** Folder of the .onnx files inside it; empty: itself. */
  subfolder: string;
  /** Kind of numbers, as @huggingface/transformers names it. */
  dtype: string;
  pooling: Pooling;
  /** Longest text that it was trained for, in tokens. */
  maxTokens: number;
  /** Longest text that it can take at all, in tokens; 0: not said. */
  positions: number;
  /** What sentence-transformers puts before texts; empty: nothing. */
  prompts: { query: string; document: string };
}

/** File of each kind of numbers, the most exact first. */
const files: readonly (readonly [dtype: string, file: string])[] = [
  ['fp32', 'model.onnx'],
  ['fp16', 'model_fp16.onnx'],
  ['q8', 'model_quantized.onnx'],
  ['int8', 'model_int8.onnx'],
  ['uint8', 'model_uint8.onnx'],
  ['q4', 'model_q4.onnx'],
];

/** Longest text if the folder does not state one, in tokens. */
const defaultMaxTokens = 512;

/** Settings that a folder answers to; empty: what the folder says. */
export interface FolderSettings {
  model_dir: string;
  dtype: string;
  pooling: string;
}

/** Returns what a model folder states (Hugging Face's layout, with the files of sentence-transformers if present). Throws ConfigError. */
export function readModelFolder(settings: FolderSettings, path: string): ModelFolder {
  const folder = resolve(settings.model_dir);
  const wrong = (problem: string) => new ConfigError(`${path}.settings.model_dir`, problem);
  for (const file of ['config.json', 'tokenizer.json']) {
    if (!existsSync(join(folder, file))) throw wrong(`"${folder}" has no ${file}`);
  }
  const dtypes = files.map(([dtype]) => dtype);
  if (settings.dtype !== '' && !dtypes.includes(settings.dtype)) {
    throw new ConfigError(`${path}.settings.dtype`, `is "${settings.dtype}"`, dtypes);
  }
  const wanted = files.filter(([dtype]) => settings.dtype === '' || dtype === settings.dtype);
  const found = ['onnx', ''].flatMap((subfolder) =>
    wanted.filter(([, file]) => existsSync(join(folder, subfolder, file))).map(([dtype]) => ({ subfolder, dtype })),
  )[0];
  if (found === undefined) {
    const names = wanted.map(([, file]) => `onnx/${file}`).join(' or ');
    throw wrong(`"${folder}" has no ${names}: export the model to ONNX first (optimum-cli export onnx)`);
  }
  const config = readObject(join(folder, 'config.json'), wrong);
  const tokenizer = readObject(join(folder, 'tokenizer_config.json'), wrong);
  const sentences = readObject(join(folder, 'sentence_bert_config.json'), wrong);
  const { prompts } = readObject(join(folder, 'config_sentence_transformers.json'), wrong) as { prompts?: unknown };
  const positions = count(config.max_position_embeddings) ?? 0;
  return {
    path: folder,
    name: basename(folder),
    ...found,
    pooling: poolingOf(settings.pooling, readObject(join(folder, '1_Pooling', 'config.json'), wrong), path),
    maxTokens: count(sentences.max_seq_length) ?? count(tokenizer.model_max_length) ?? (positions || defaultMaxTokens),
    positions,
    prompts: readPrompts(prompts),
  };
}

function readObject(file: string, wrong: (problem: string) => ConfigError): Record<string, unknown> {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    throw wrong(`${file} is not JSON: ${(error as Error).message}`);
  }
}

/** A number of tokens; tokenizers say 1e30 for "no limit". */
function count(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 && value < 1e6 ? value : undefined;
}

function poolingOf(setting: string, config: Record<string, unknown>, path: string): Pooling {
  const named: Record<string, Pooling> = { mean: 'mean', cls: 'cls', lasttoken: 'last', max: 'max' };
  const modes: Record<string, Pooling> = {
    pooling_mode_cls_token: 'cls',
    pooling_mode_mean_tokens: 'mean',
    pooling_mode_lasttoken: 'last',
    pooling_mode_max_tokens: 'max',
  };
  if (setting !== '') {
    if (!poolings.includes(setting as Pooling)) {
      throw new ConfigError(`${path}.settings.pooling`, `is "${setting}"`, poolings);
    }
    return setting as Pooling;
  }
  if (typeof config.pooling_mode === 'string' && named[config.pooling_mode])
    return named[config.pooling_mode] as Pooling;
  const on = Object.keys(config).filter((key) => key.startsWith('pooling_mode_') && config[key] === true);
  if (on.length === 0) return 'mean';
  const pooling = on.length === 1 ? modes[on[0] as string] : undefined;
  if (pooling === undefined) {
    throw new ConfigError(`${path}.settings.pooling`, `is needed: the folder asks for ${on.join(' and ')}`, poolings);
  }
  return pooling;
}

function readPrompts(prompts: unknown): ModelFolder['prompts'] {
  const { query, document, passage } = (typeof prompts === 'object' && prompts !== null ? prompts : {}) as Record<
    string,
    unknown
  >;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return { query: text(query), document: text(document ?? passage) };
}
