import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { type EdgeMesh, shortAnswer, startEdgeMesh } from '../../../testing/stand-ins.ts';

// JSON of answers from documents: by OpenAI's two routes, whole and streamed.

let edge: EdgeMesh;
let written = '';
let generated = 0;
beforeAll(async () => {
  edge = await startEdgeMesh({
    answer: async function* (request) {
      if (request.question !== 'filter') return yield* shortAnswer(request);
      yield { case: 'started', value: { answerId: 'a1' } };
      yield { case: 'textDelta', value: { text: 'so far' } };
      yield { case: 'done', value: { outcome: AnswerOutcome.FILTERED, answerId: 'a1' } };
    },
    llm: {
      listModels: () => ({
        models: [
          { name: 'extractive', provider: 'extractive' },
          { name: 'writer', provider: 'openai', generative: true },
        ],
      }),
      async *generate() {
        generated++;
        yield { event: { case: 'textDelta', value: { text: written } } };
        yield { event: { case: 'done', value: { outcome: Outcome.COMPLETE } } };
      },
    },
  });
});
afterAll(() => edge.mesh.close());

const text = 'Within 30 days, 退货免费 [1].';
const post = async (path: string, body: object, authorization: object = edge.authorization) => {
  const response = await fetch(`${edge.url}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
};
const jsonSchema = (schema: object) => ({ type: 'json_schema', json_schema: { name: 'out', strict: true, schema } });
const ask = async (format: object, model = 'ragmesh', question = 'Returns?') => {
  const reply = await post('chat/completions', {
    ...{ model, response_format: format },
    messages: [{ role: 'user', content: question }],
  });
  return { status: reply.status, body: JSON.parse(reply.text) };
};
const contentOf = async (format: object, model?: string) => {
  const { status, body } = await ask(format, model);
  expect(status, JSON.stringify(body)).toBe(200);
  return JSON.parse(body.choices[0].message.content);
};

const citation = { marker: 1, chunk_id: 'c1', document_id: 'd1', title: 'Returns', url: '', corpus: 'help', page: 3 };

test('a JSON object has the answer and its citations', async () => {
  expect(await contentOf({ type: 'json_object' })).toEqual({
    ...{ answer: text, citations: [citation], outcome: 'answered', verified: false },
  });
});

test('a stream and the Responses API have the same JSON', async () => {
  const messages = [{ role: 'user', content: 'Returns?' }];
  const streamed = await post('chat/completions', { messages, stream: true, response_format: { type: 'json_object' } });
  const chunks = streamed.text
    .split('\n')
    .flatMap((line) => (/^data: \{/.test(line) ? [JSON.parse(line.slice(6))] : []));
  const content = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
  expect(JSON.parse(content)).toMatchObject({ answer: text, citations: [citation] });
  expect(streamed.text.trim().endsWith('data: [DONE]')).toBe(true);
  const responded = await post('responses', { input: 'Returns?', text: { format: { type: 'json_object' } } });
  const [item] = JSON.parse(responded.text).output;
  expect(JSON.parse(item.content[0].text)).toMatchObject({ answer: text, citations: [citation] });
});

const string = { type: 'string' };
const object = (properties: object, more: object = {}) => ({
  ...{ type: 'object', properties, required: Object.keys(properties), additionalProperties: false, ...more },
});

describe('a schema that an answer fills', () => {
  test.each<[string, object, unknown]>([
    ['a text', object({ answer: string }), { answer: text }],
    ['a text that may be null', object({ response: { type: ['string', 'null'] } }), { response: text }],
    [
      'sources as texts',
      object({ answer: string, sources: { type: 'array', items: string } }),
      { answer: text, sources: ['Returns'] },
    ],
    [
      'sources as objects',
      object({
        content: string,
        references: { type: 'array', items: object({ title: string, number: { type: 'integer' } }) },
      }),
      { content: text, references: [{ title: 'Returns', number: 1 }] },
    ],
    ['a verdict', object({ 回答: string, verified: { type: 'boolean' } }), { 回答: text, verified: false }],
    [
      'properties that are not required, left out',
      { type: 'object', properties: { answer: string, mood: string }, required: ['answer'] },
      { answer: text },
    ],
  ])('%s', async (_, schema, expected) => {
    const before = generated;
    expect(await contentOf(jsonSchema(schema))).toEqual(expected);
    expect(generated).toBe(before);
  });
});

describe('a schema that needs more', () => {
  const more = object({ days: { type: 'integer' }, free: { type: 'boolean' } });

  test.each<[string, object]>([
    ['an unknown property', more],
    ['no object', { type: 'array', items: string }],
    ['an object in the answer’s place', object({ answer: object({ days: { type: 'integer' } }) })],
  ])('is refused with its path if no model writes: %s', async (_, schema) => {
    const { status, body } = await ask(jsonSchema(schema));
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ type: 'invalid_request_error', param: 'response_format.json_schema.schema' });
    expect(body.error.message).toContain('json_object');
  });

  test('is filled by a model that writes', async () => {
    written = '```json\n{"days": 30, "free": true}\n```';
    expect(await contentOf(jsonSchema(more), 'ragmesh/writer')).toEqual({ days: 30, free: true });
  });

  test.each(['nonsense', '{"days": "30", "free": true}', '{"days": 30}', '{"days": 30, "free": true', ''])(
    'is an error, never other JSON, if the model writes %j',
    async (words) => {
      written = words;
      const { status, body } = await ask(jsonSchema(more), 'ragmesh/writer');
      expect(status).toBe(503);
      expect(body.error.message).toContain('schema');
    },
  );
});

test.each<[string, object]>([
  ['is no schema', { type: 'wrong' }],
  ['refers to nothing', { $ref: '#/$defs/nothing' }],
])('a schema that %s is the caller’s mistake', async (_, schema) => {
  const { status, body } = await ask(jsonSchema(schema));
  expect([status, body.error.type]).toEqual([400, 'invalid_request_error']);
});

test('a pattern of a caller is not run', async () => {
  const schema = object({ answer: { type: 'string', pattern: '^(([a-z])+.)+[A-Z]([a-z])+$' } });
  expect(await contentOf(jsonSchema(schema))).toEqual({ answer: text });
});

test('an answer that a filter refused has no JSON', async () => {
  const { body } = await ask({ type: 'json_object' }, 'ragmesh', 'filter');
  expect(body.choices[0]).toMatchObject({ finish_reason: 'content_filter', message: { content: '' } });
});
