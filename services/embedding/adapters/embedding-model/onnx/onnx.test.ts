import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { embeddingModelSuite } from '../../../suites/embedding-model.suite.ts';
import { createWith, failureOf } from '../../../testing/vendor.ts';
import { adapter } from './index.ts';

// The real package and a real model: onnx.live.test.ts. Here a stand-in for the package with the same faces: a token is a word, its vector
// says which word it is.

const standIn = `
exports.env = {};
exports.Tensor = class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } };
const idOf = (word) => 2 + [...word].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 997, 7);
exports.AutoTokenizer = { async from_pretrained() {
  const tokenizer = (text) => {
    const ids = [1, ...text.split(/\\s+/).filter(Boolean).map(idOf)];
    return { input_ids: ids, token_type_ids: ids.map(() => 0) };
  };
  return tokenizer;
} };
exports.AutoModel = { async from_pretrained(name, options) {
  if (exports.env.allowRemoteModels !== false) throw new Error('would look elsewhere');
  return async ({ input_ids: { data, dims: [texts, tokens] }, token_type_ids }) => {
    if (token_type_ids === undefined) throw new Error('no token_type_ids');
    if (data.includes(BigInt(idOf('explode')))) throw new Error('out of memory');
    const values = new Float32Array(texts * tokens * 1000);
    // Padding has a vector like any other token: it must be left out.
    for (const [at, id] of data.entries()) values[at * 1000 + Number(id)] = 1;
    return { last_hidden_state: { data: values, dims: [texts, tokens, 1000] } };
  };
} };
`;

let root: string;
const write = (path: string, content: unknown) => {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
};
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'ragmesh-onnx-'));
  write('package.json', {});
  write('node_modules/@huggingface/transformers/package.json', {
    name: '@huggingface/transformers',
    main: 'index.cjs',
  });
  write('node_modules/@huggingface/transformers/index.cjs', standIn);
  for (const model of ['mini', 'odd']) {
    write(`${model}/config.json`, { max_position_embeddings: 4096 });
    write(`${model}/tokenizer.json`, {});
    write(`${model}/tokenizer_config.json`, { model_max_length: 1e30 });
  }
  write('mini/sentence_bert_config.json', { max_seq_length: 2048 });
  write('mini/1_Pooling/config.json', { pooling_mode_cls_token: false, pooling_mode_mean_tokens: true });
  write('mini/config_sentence_transformers.json', { prompts: { query: 'query ', passage: 'passage ' } });
  write('mini/onnx/model_quantized.onnx', '');
  write('odd/1_Pooling/config.json', { pooling_mode_cls_token: true, pooling_mode_max_tokens: true });
});
afterAll(() => rmSync(root, { recursive: true }));

const never = new AbortController().signal;
const create = (given: Record<string, unknown> = {}) =>
  createWith(adapter, { package_dir: root, model_dir: join(root, 'mini'), ...given });

embeddingModelSuite('onnx', create);

test('the folder says how texts are pooled, cut short and prefixed', async () => {
  const model = await create();
  expect(model).toMatchObject({ dimensions: 1000, maxInputTokens: 2048, maxBatch: 32 });
  expect(model.name).toMatch(/^mini-1000-[0-9a-f]{8}$/);
  // A start, the prefix, and two words.
  expect(await model.embed(['red shoe'], Purpose.QUERY, never)).toMatchObject({ promptTokens: 4, reported: true });
  await model.close();
});

test('texts of any length in one batch get the vectors that they get alone', async () => {
  const model = await create();
  const texts = Array.from({ length: 32 }, (_, index) => `w${index} `.repeat(1 + ((index * 7) % 50)));
  const { vectors } = await model.embed(texts, Purpose.DOCUMENT, never);
  for (const [index, text] of texts.entries()) {
    const alone = await model.embed([text], Purpose.DOCUMENT, never);
    expect(vectors[index]).toEqual(alone.vectors[0]);
  }
  await model.close();
});

test('a text that is too long is refused and named, never cut', async () => {
  const model = await create({ max_input_tokens: 10 });
  const failure = await failureOf(model.embed(['a', ' ', 'b '.repeat(11)], Purpose.DOCUMENT, never));
  expect(failure).toMatchObject({ name: 'TextTooLongError', textIndex: 2 });
  await model.close();
});

test('what the runtime fails on is no text of the error, and the next batch works', async () => {
  const model = await create();
  expect(String(await failureOf(model.embed(['explode'], Purpose.DOCUMENT, never)))).toContain('internal error');
  expect((await model.embed(['a'], Purpose.DOCUMENT, never)).vectors).toHaveLength(1);
  await model.close();
});

describe('the start is stopped by', () => {
  test.each([
    [
      'no package',
      { package_dir: tmpdir() },
      '"onnx" needs the package @huggingface/transformers: npm install --prefix',
    ],
    ['no folder', { model_dir: '/nowhere' }, 'has no config.json'],
    ['no file for the numbers asked for', { dtype: 'fp32' }, 'has no onnx/model.onnx'],
    ['unknown numbers', { dtype: 'bf16' }, 'allowed: fp32, fp16'],
    ['an unknown pooling', { pooling: 'median' }, 'allowed: mean, cls, last, max'],
    ['more tokens than positions', { max_input_tokens: 5000 }, 'is 5000, and the model has 4096 positions'],
  ])('%s', async (_, given, message) => {
    await expect(create(given)).rejects.toThrow(message);
  });

  test('two poolings together, and a folder without a model', async () => {
    await expect(create({ model_dir: join(root, 'odd') })).rejects.toThrow('export the model to ONNX first');
    write('odd/model.onnx', '');
    await expect(create({ model_dir: join(root, 'odd') })).rejects.toThrow(
      'pooling_mode_cls_token and pooling_mode_max_tokens',
    );
    const model = await create({ model_dir: join(root, 'odd'), pooling: 'cls' });
    expect(model.name).toBe('odd-1000-cls');
    await model.close();
  });
});
