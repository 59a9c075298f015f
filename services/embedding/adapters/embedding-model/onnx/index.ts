import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { internal } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { type EmbeddingModelDeps, TextTooLongError } from '../../../models/embedding-model.ts';
import { createRemoteModel, type RawReply } from '../../../models/remote-model.ts';
import { prefixMark, remoteSettings } from '../../../models/remote-settings.ts';
import { createThreadPool } from '../../../models/thread-pool.ts';
import { readModelFolder } from './folder.ts';
import type { OnnxJob, OnnxReply, OnnxWorkerData } from './worker.ts';

const packageName = '@huggingface/transformers';
/** Longest time to load a model and run it once, in milliseconds. */
const startTimeoutMs = 120_000;

/**
 * A local model in ONNX, run by @huggingface/transformers in threads. The package is no dependency of the project: install it to use this
 * adapter. Nothing is fetched from anywhere.
 */
export const adapter = defineAdapter({
  settings: {
    model_dir: z
      .string()
      .describe(`Folder of the model, in Hugging Face's layout: config.json, tokenizer.json, onnx/model.onnx`),
    package_dir: z
      .string()
      .describe('Folder whose node_modules holds the package. Empty: the folder of ragmesh')
      .default(''),
    dtype: z
      .enum(['', 'fp32', 'fp16', 'q8', 'int8', 'uint8', 'q4'])
      .describe('Precision of the weights. Empty: the most exact that the folder has')
      .default(''),
    pooling: z
      .enum(['', 'mean', 'cls', 'last', 'max'])
      .describe('Pooling of token vectors. Empty: what 1_Pooling/config.json says, else mean')
      .default(''),
    /** 0: what the folder says (sentence_bert_config.json, tokenizer_config.json). */
    max_input_tokens: remoteSettings.max_input_tokens,
    /** Empty: the prompt of config_sentence_transformers.json. */
    query_prefix: remoteSettings.query_prefix,
    /** Empty: the prompt of config_sentence_transformers.json. */
    document_prefix: remoteSettings.document_prefix,
    max_batch: remoteSettings.max_batch.default(32),
    threads: z.int().min(1).max(16).describe('Copies of the model, each in a thread').default(1),
    compute_threads: z
      .int()
      .min(0)
      .max(256)
      .describe('Threads that a copy reckons with. 0: as many as there are cores')
      .default(0),
  },
  async create(settings, deps: EmbeddingModelDeps) {
    const { path } = deps;
    const packageFile = findPackage(settings.package_dir, path);
    const folder = readModelFolder(settings, path);
    const maxInputTokens = settings.max_input_tokens || folder.maxTokens;
    if (folder.positions > 0 && maxInputTokens > folder.positions) {
      const problem = `is ${maxInputTokens}, and the model has ${folder.positions} positions`;
      throw new ConfigError(`${path}.settings.max_input_tokens`, problem);
    }
    const workerData: OnnxWorkerData = {
      packageFile,
      folder: folder.path,
      subfolder: folder.subfolder,
      dtype: folder.dtype,
      pooling: folder.pooling,
      maxTokens: maxInputTokens,
      computeThreads: settings.compute_threads,
    };
    const file = new URL('./worker.ts', import.meta.url);
    const pool = createThreadPool<OnnxJob, OnnxReply>({
      file,
      name: 'onnx',
      threadCount: settings.threads,
      workerData,
      // The runtime prints the tokens of a batch that it fails on.
      isSilent: true,
    });
    const run = async (texts: readonly string[], signal: AbortSignal) => {
      const reply = await pool.run({ texts }, signal);
      switch (reply.kind) {
        case 'vectors':
          return reply;
        case 'too-long':
          throw new TextTooLongError(reply.textIndex);
        case 'failed':
          throw internal(new Error(`the runtime of ${folder.name} failed: ${reply.message}`));
        default:
          throw reply satisfies never;
      }
    };
    let dimensions: number;
    try {
      // A model that cannot run stops the start, and not the first question.
      ({ dimensions } = await run(['ragmesh'], AbortSignal.timeout(startTimeoutMs)));
    } catch (error) {
      await pool.close();
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error);
      throw new ConfigError(`${path}.settings.model_dir`, `"${folder.path}" cannot be run: ${cause.message}`);
    }
    const query_prefix = settings.query_prefix || folder.prompts.query;
    const document_prefix = settings.document_prefix || folder.prompts.document;
    const pooling = settings.pooling === '' ? '' : `-${settings.pooling}`;
    const model = createRemoteModel(
      {
        provider: 'onnx',
        model: folder.name,
        identity: {
          name: `${folder.name}-${dimensions}${pooling}${prefixMark(query_prefix, document_prefix)}`,
          dimensions,
          maxInputTokens,
          askedDimensions: undefined,
        },
        settings: {
          ...settings,
          query_prefix,
          document_prefix,
          dimensions,
          send_dimensions: false,
          max_batch_tokens: 0,
          max_concurrent: settings.threads,
          timeout_ms: 0,
        },
        indexed: false,
        async request(texts, _purpose, signal): Promise<RawReply> {
          const { values, dimensions: length, tokens } = await run(texts, signal);
          const vectors = texts.map((_, index) => ({
            embedding: values.subarray(index * length, (index + 1) * length),
          }));
          return { vectors, promptTokens: tokens };
        },
      },
      deps,
    );
    return { ...model, close: () => pool.close() };
  },
});

/** Returns the file of the package. Throws ConfigError if it is not installed. */
function findPackage(packageDir: string, path: string): string {
  const from = packageDir === '' ? import.meta.url : join(resolve(packageDir), 'package.json');
  try {
    return createRequire(from).resolve(packageName);
  } catch {
    const install = packageDir === '' ? 'npm install' : `npm install --prefix ${packageDir}`;
    throw new ConfigError(`${path}.adapter`, `"onnx" needs the package ${packageName}: ${install} ${packageName}`);
  }
}
