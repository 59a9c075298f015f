/** Collects the parts of a file of llama.cpp's format (github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3). */
interface GgufWriter {
  bytes(bytes: Uint8Array): void;
  u32(value: number): void;
  u64(value: number): void;
  f32(value: number): void;
  string(text: string): void;
  /** Zeros up to the next multiple. */
  pad(alignment: number): void;
  concat(): Uint8Array;
}

function createGgufWriter(): GgufWriter {
  const parts: Uint8Array[] = [];
  let length = 0;
  const bytes = (part: Uint8Array) => {
    parts.push(part);
    length += part.length;
  };
  const u64 = (value: number) => bytes(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  return {
    bytes,
    u64,
    u32: (value) => bytes(new Uint8Array(Uint32Array.of(value).buffer)),
    f32: (value) => bytes(new Uint8Array(Float32Array.of(value).buffer)),
    string(text) {
      const encoded = new TextEncoder().encode(text);
      u64(encoded.length);
      bytes(encoded);
    },
    pad: (alignment) => bytes(new Uint8Array((alignment - (length % alignment)) % alignment)),
    concat: () => Buffer.concat(parts),
  };
}

const types = { u32: 4, i32: 5, f32: 6, string: 8, array: 9 } as const;
const alignment = 32;
const size = { embedding: 64, layers: 1, feedForward: 128, heads: 2, context: 2048 };

/**
 * A model of llama's architecture with random weights, half a megabyte: it writes nonsense, but as a server serves it. `random` gives
 * numbers from 0 to 1.
 */
export function tinyModel(random: () => number): Uint8Array {
  const tokens = vocabulary();
  const tensors = tensorShapes(tokens.length);
  const out = createGgufWriter();
  out.bytes(new TextEncoder().encode('GGUF'));
  out.u32(3);
  out.u64(tensors.length);
  const pairs = metadata(tokens);
  out.u64(pairs.length);
  for (const write of pairs) write(out);
  let offset = 0;
  for (const { name, shape } of tensors) {
    out.string(name);
    out.u32(shape.length);
    for (const dimension of shape) out.u64(dimension);
    out.u32(0);
    out.u64(offset);
    offset += Math.ceil((lengthOf(shape) * 4) / alignment) * alignment;
  }
  out.pad(alignment);
  for (const { name, shape } of tensors) {
    const isNorm = name.endsWith('norm.weight');
    const weights = Float32Array.from({ length: lengthOf(shape) }, () => (isNorm ? 1 : (random() - 0.5) / 2));
    out.bytes(new Uint8Array(weights.buffer));
    out.pad(alignment);
  }
  return out.concat();
}

function lengthOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

interface Token {
  text: string;
  score: number;
  /** 1: normal, 2: unknown, 3: control, 6: byte. */
  type: number;
}

/** The special tokens, every byte, and the characters of ASCII. */
function vocabulary(): Token[] {
  const bytes = Array.from({ length: 256 }, (_, byte): Token => {
    return { text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, score: 0, type: 6 };
  });
  const characters = Array.from({ length: 94 }, (_, at): Token => {
    return { text: String.fromCharCode(33 + at), score: -at - 1, type: 1 };
  });
  return [
    { text: '<unk>', score: 0, type: 2 },
    { text: '<s>', score: 0, type: 3 },
    { text: '</s>', score: 0, type: 3 },
    ...bytes,
    { text: '▁', score: -1, type: 1 },
    ...characters,
  ];
}

const chatTemplate =
  '{% for message in messages %}<|{{ message.role }}|>{{ message.content }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}';

function metadata(tokens: readonly Token[]): ((out: GgufWriter) => void)[] {
  const string = (key: string, value: string) => (out: GgufWriter) => {
    out.string(key);
    out.u32(types.string);
    out.string(value);
  };
  const u32 = (key: string, value: number) => (out: GgufWriter) => {
    out.string(key);
    out.u32(types.u32);
    out.u32(value);
  };
  const array = (key: string, type: number, write: (out: GgufWriter, token: Token) => void) => (out: GgufWriter) => {
    out.string(key);
    out.u32(types.array);
    out.u32(type);
    out.u64(tokens.length);
    for (const token of tokens) write(out, token);
  };
  return [
    string('general.architecture', 'llama'),
    string('general.name', 'tiny'),
    u32('llama.context_length', size.context),
    u32('llama.embedding_length', size.embedding),
    u32('llama.block_count', size.layers),
    u32('llama.feed_forward_length', size.feedForward),
    u32('llama.attention.head_count', size.heads),
    u32('llama.attention.head_count_kv', size.heads),
    u32('llama.rope.dimension_count', size.embedding / size.heads),
    u32('llama.vocab_size', tokens.length),
    (out) => {
      out.string('llama.attention.layer_norm_rms_epsilon');
      out.u32(types.f32);
      out.f32(1e-5);
    },
    string('tokenizer.ggml.model', 'llama'),
    array('tokenizer.ggml.tokens', types.string, (out, { text }) => out.string(text)),
    array('tokenizer.ggml.scores', types.f32, (out, { score }) => out.f32(score)),
    array('tokenizer.ggml.token_type', types.i32, (out, { type }) => out.u32(type)),
    u32('tokenizer.ggml.unknown_token_id', 0),
    u32('tokenizer.ggml.bos_token_id', 1),
    u32('tokenizer.ggml.eos_token_id', 2),
    string('tokenizer.chat_template', chatTemplate),
  ];
}

function tensorShapes(vocabularySize: number): { name: string; shape: number[] }[] {
  const { embedding, feedForward } = size;
  const layers = Array.from({ length: size.layers }, (_, layer) => [
    { name: `blk.${layer}.attn_norm.weight`, shape: [embedding] },
    ...['q', 'k', 'v', 'output'].map((part) => ({
      name: `blk.${layer}.attn_${part}.weight`,
      shape: [embedding, embedding],
    })),
    { name: `blk.${layer}.ffn_norm.weight`, shape: [embedding] },
    { name: `blk.${layer}.ffn_gate.weight`, shape: [embedding, feedForward] },
    { name: `blk.${layer}.ffn_up.weight`, shape: [embedding, feedForward] },
    { name: `blk.${layer}.ffn_down.weight`, shape: [feedForward, embedding] },
  ]);
  return [
    { name: 'token_embd.weight', shape: [embedding, vocabularySize] },
    ...layers.flat(),
    { name: 'output_norm.weight', shape: [embedding] },
    { name: 'output.weight', shape: [embedding, vocabularySize] },
  ];
}
