import { createRequire } from 'node:module';
import { basename, dirname } from 'node:path';
import { workerData } from 'node:worker_threads';
import { serveCalls } from '#kit/base/worker-rpc.ts';
import { type Pooling, poolTokens } from './pool-tokens.ts';

// A thread that runs a local model, one batch after another.

/** What a thread is started with. */
export interface OnnxWorkerData {
  /** File of @huggingface/transformers. */
  packageFile: string;
  folder: string;
  subfolder: string;
  dtype: string;
  pooling: Pooling;
  /** Longest text, in tokens. */
  maxTokens: number;
  /** Threads of the runtime inside; 0: the default of the runtime. */
  computeThreads: number;
}

/** To the thread. */
export interface OnnxJob {
  texts: readonly string[];
}

/** From the thread. */
export type OnnxReply =
  /** Vectors one after another in one buffer, which is moved and not copied. */
  | { kind: 'vectors'; values: Float32Array<ArrayBuffer>; dimensions: number; tokens: number }
  | { kind: 'too-long'; textIndex: number }
  /** `message` is the runtime's, for the log. */
  | { kind: 'failed'; message: string };

/** What is used of @huggingface/transformers; it is no dependency, so its own types may be absent. */
interface Transformers {
  env: { allowRemoteModels: boolean; localModelPath: string; useFSCache: boolean };
  AutoTokenizer: { from_pretrained(name: string, options: object): Promise<Tokenizer> };
  AutoModel: { from_pretrained(name: string, options: object): Promise<Model> };
  Tensor: new (type: 'int64', values: BigInt64Array, dims: number[]) => unknown;
}
interface Tokenizer {
  (text: string, options: object): { input_ids: number[]; token_type_ids?: number[] };
  pad_token_id?: number | null;
}
type Model = (inputs: Record<string, unknown>) => Promise<Record<string, Output | undefined>>;
interface Output {
  data: Float32Array;
  dims: number[];
}

/** Texts in one run of the model: those of like length together, so that little padding is reckoned. */
const runSize = 16;

async function load({ packageFile, folder, subfolder, dtype, computeThreads }: OnnxWorkerData) {
  const { env, AutoTokenizer, AutoModel, Tensor } = createRequire(import.meta.url)(packageFile) as Transformers;
  env.allowRemoteModels = false;
  env.useFSCache = false;
  env.localModelPath = dirname(folder);
  const name = basename(folder);
  const tokenizer = await AutoTokenizer.from_pretrained(name, { local_files_only: true });
  const model = await AutoModel.from_pretrained(name, {
    local_files_only: true,
    device: 'cpu',
    dtype,
    subfolder,
    session_options: { ...(computeThreads > 0 && { intraOpNumThreads: computeThreads }), logSeverityLevel: 4 },
  });
  return { tokenizer, model, Tensor };
}

type Loaded = Awaited<ReturnType<typeof load>>;

async function embed(
  { tokenizer, model, Tensor }: Loaded,
  data: OnnxWorkerData,
  texts: readonly string[],
): Promise<OnnxReply> {
  const encoded: { index: number; ids: number[]; types: number[] | undefined }[] = [];
  for (const [index, text] of texts.entries()) {
    const { input_ids: ids, token_type_ids: types } = tokenizer(text, {
      truncation: false,
      padding: false,
      return_tensor: false,
    });
    if (ids.length > data.maxTokens) return { kind: 'too-long', textIndex: index };
    encoded.push({ index, ids, types });
  }
  const tokens = encoded.reduce((sum, { ids }) => sum + ids.length, 0);
  encoded.sort((a, b) => a.ids.length - b.ids.length);
  let values: Float32Array<ArrayBuffer> | undefined;
  let dimensions = 0;
  for (let first = 0; first < encoded.length; first += runSize) {
    const run = encoded.slice(first, first + runSize);
    const tokenCount = Math.max(...run.map(({ ids }) => ids.length));
    const tensor = (row: (text: (typeof run)[0], token: number) => number) => {
      const flat = new BigInt64Array(run.length * tokenCount);
      for (const [place, text] of run.entries()) {
        for (let token = 0; token < tokenCount; token++) flat[place * tokenCount + token] = BigInt(row(text, token));
      }
      return new Tensor('int64', flat, [run.length, tokenCount]);
    };
    const output = await model({
      input_ids: tensor(({ ids }, token) => ids[token] ?? tokenizer.pad_token_id ?? 0),
      attention_mask: tensor(({ ids }, token) => (token < ids.length ? 1 : 0)),
      ...(run[0]?.types && { token_type_ids: tensor(({ types }, token) => types?.[token] ?? 0) }),
    });
    const pooled = pool(
      output,
      data.pooling,
      run.map(({ ids }) => ids.length),
      tokenCount,
    );
    dimensions = pooled.length / run.length;
    values ??= new Float32Array(texts.length * dimensions);
    for (const [place, { index }] of run.entries()) {
      values.set(pooled.subarray(place * dimensions, (place + 1) * dimensions), index * dimensions);
    }
  }
  return { kind: 'vectors', values: values ?? new Float32Array(0), dimensions, tokens };
}

/** One vector a text: pooled here, or by the model itself (`sentence_embedding`). */
function pool(
  output: Record<string, Output | undefined>,
  pooling: Pooling,
  lengths: number[],
  tokenCount: number,
): Float32Array {
  const tokens = output.last_hidden_state ?? output.token_embeddings;
  if (tokens === undefined) {
    const whole = output.sentence_embedding;
    if (whole === undefined) throw new Error(`the model gives ${Object.keys(output).join(', ')}, and no embedding`);
    return whole.data;
  }
  const dimensions = tokens.dims[2] as number;
  const into = new Float32Array(lengths.length * dimensions);
  poolTokens(pooling, { values: tokens.data, textCount: lengths.length, tokenCount, dimensions, lengths }, into);
  return into;
}

const data = workerData as OnnxWorkerData;
let loading: Promise<Loaded> | undefined;

serveCalls(
  async ({ texts }: OnnxJob): Promise<OnnxReply> => {
    try {
      loading ??= load(data);
      return await embed(await loading, data, texts);
    } catch (error) {
      return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
    }
  },
  (reply) => (reply.kind === 'vectors' ? [reply.values.buffer] : []),
);
