import { describe, expect, test } from 'vitest';
import { type GenerateResponse, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { doneOf, modelAt, startTestGateway } from '../testing/gateway.ts';
import { content, doneMark, finish, startFakeProvider, streamed } from '../testing/provider-server.ts';

const called = (calls: readonly object[], reason: string | null = null) => ({
  choices: [{ index: 0, delta: { tool_calls: calls }, finish_reason: reason }],
});
const part = (name: string | undefined, args: string, init: object = {}) => ({
  index: 0,
  function: { ...(name === undefined ? {} : { name }), arguments: args },
  ...init,
});

/** The calls of an answer, put together as a client does it. */
function callsOf(responses: readonly GenerateResponse[]) {
  const calls: { id: string; name: string; args: string; idCount: number }[] = [];
  for (const { event } of responses) {
    if (event.case !== 'toolCallDelta') continue;
    const { index, id, name, argumentsJson } = event.value;
    calls[index] ??= { id: '', name: '', args: '', idCount: 0 };
    const call = calls[index];
    if (id !== '') call.idCount += 1;
    call.id += id;
    call.name += name;
    call.args += argumentsJson;
  }
  return calls;
}

async function answerTo(chunks: readonly object[]) {
  await using server = await startFakeProvider(streamed([...chunks, finish('tool_calls'), doneMark]));
  await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
  return await gateway.ask();
}

const both = [
  ['get_a', '{"x":1}'],
  ['get_b', '{"y":2}'],
];
const twice = [
  ['get_a', '{"x":1}'],
  ['get_a', '{"x":2}'],
];
const sameId = { id: 'c1' };
const noIndex = { index: undefined };

describe('calls that a server does not count', () => {
  test.each<[string, object[], string[][]]>([
    [
      'empty ids',
      [called([part('get_a', '{"x":1}', { id: '' })]), called([part('get_b', '{"y":2}', { id: '' })])],
      both,
    ],
    ['no ids', [called([part('get_a', '{"x":1}')]), called([part('get_b', '{"y":2}')])], both],
    ['no ids, in one chunk', [called([part('get_a', '{"x":1}'), part('get_b', '{"y":2}')])], both],
    ['one id for all', [called([part('get_a', '{"x":1}', sameId)]), called([part('get_b', '{"y":2}', sameId)])], both],
    [
      'no index and no id',
      [called([part('get_a', '{"x":1}', noIndex)]), called([part('get_b', '{"y":2}', noIndex)])],
      both,
    ],
    ['the same tool twice', [called([part('get_a', '{"x":1}')]), called([part('get_a', '{"x":2}')])], twice],
    ['the same tool twice, in one chunk', [called([part('get_a', '{"x":1}'), part('get_a', '{"x":2}')])], twice],
    [
      'arguments in pieces',
      [
        called([part('get_a', '')]),
        called([part(undefined, '{"x"')]),
        called([part(undefined, ':1}')]),
        called([part('get_b', '')]),
        called([part(undefined, '{"y":')]),
        called([part(undefined, '2}')]),
      ],
      both,
    ],
    [
      'the same tool twice, arguments in pieces',
      [
        called([part('get_a', '')]),
        called([part(undefined, '{"x":')]),
        called([part(undefined, '1}')]),
        called([part('get_a', '')]),
        called([part(undefined, '{"x":')]),
        called([part(undefined, '2}')]),
      ],
      twice,
    ],
    [
      'a tool without arguments before another',
      [called([part('now', '')]), called([part('get_b', '{"y":2}')])],
      [
        ['now', ''],
        ['get_b', '{"y":2}'],
      ],
    ],
    [
      'ids without an index, in turns',
      [
        called([part('get_a', '{"x":', { index: undefined, id: 'c1' })]),
        called([part('get_b', '{"y":', { index: undefined, id: 'c2' })]),
        called([part(undefined, '1}', { index: undefined, id: 'c1' })]),
        called([part(undefined, '2}', { index: undefined, id: 'c2' })]),
      ],
      both,
    ],
  ])('are calls of their own: %s', async (_, chunks, wanted) => {
    const responses = await answerTo(chunks);
    const calls = callsOf(responses);
    expect(calls.map(({ name, args }) => [name, args])).toEqual(wanted);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(wanted.length);
    expect(calls.every(({ id, idCount }) => id !== '' && idCount === 1)).toBe(true);
    expect(doneOf(responses).outcome).toBe(Outcome.TOOL_CALLS);
  });

  test.each<[string, object[]]>([
    [
      'name in every part',
      [called([part('get_a', '{"x":')]), called([part('get_a', '1')]), called([part('get_a', '}')])],
    ],
    [
      'id and name in an empty part at the end',
      [called([part('get_a', '{"x":1}', sameId)]), called([part('get_a', '', sameId)])],
    ],
    ['name in an empty part at the end', [called([part('get_a', '{"x":1}')]), called([part('get_a', '')])]],
    [
      'the whole call once more',
      [called([part('get_a', '{"x":1}', sameId)]), called([part('get_a', '{"x":1}', sameId)])],
    ],
  ])('a call that a server repeats stays one call: %s', async (_, chunks) => {
    const calls = callsOf(await answerTo(chunks));
    expect(calls.map(({ name, args }) => [name, args])).toEqual([['get_a', '{"x":1}']]);
  });

  test('whole calls of a whole reply are calls of their own, whatever their index says', async () => {
    await using server = await startFakeProvider((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const tool_calls = [part('get_a', '{"x":1}'), part('get_a', '{"x":1}')];
      response.end(
        JSON.stringify({ choices: [{ message: { content: null, tool_calls }, finish_reason: 'tool_calls' }] }),
      );
    });
    await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
    expect(callsOf(await gateway.ask())).toHaveLength(2);
  });
});

test('items of a Responses stream that share one place are calls of their own', async () => {
  const item = (type: string, name: string, args: string) =>
    `data: ${JSON.stringify({ type: `response.output_item.${type}`, item: { type: 'function_call', name, arguments: args } })}\n\n`;
  const end = 'data: {"type":"response.completed","response":{"status":"completed"}}\n\n';
  const replies = [
    [
      item('added', 'get_a', ''),
      item('done', 'get_a', '{"x":1}'),
      item('added', 'get_b', ''),
      item('done', 'get_b', '{"y":2}'),
    ],
    [item('done', 'get_a', '{"x":1}'), item('done', 'get_a', '{"x":2}')],
  ];
  for (const [at, wanted] of [both, twice].entries()) {
    await using server = await startFakeProvider(streamed([...(replies[at] ?? []), end]));
    const settings = { base_url: server.url, model: 'm', api_key: 'k' };
    await using gateway = await startTestGateway({ models: [{ name: 'm', adapter: 'openai-responses', settings }] });
    const calls = callsOf(await gateway.ask());
    expect(calls.map(({ name, args }) => [name, args])).toEqual(wanted);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
  }
});

describe('the id of a call', () => {
  test.each([
    ['none', undefined],
    ['null', null],
    ['an empty one', ''],
    ['a longer one than a caller may send back', 'c'.repeat(257)],
  ])('is made if the provider gives %s', async (_, id) => {
    const [call] = callsOf(
      await answerTo([called([part('get_a', '{', { id })]), called([part(undefined, '}', { id })])]),
    );
    expect(call).toMatchObject({ name: 'get_a', args: '{}', idCount: 1 });
    expect(call?.id).toMatch(/^call_[\w-]{1,250}$/);
  });

  test('is the provider’s own if it gives one, also as a number', async () => {
    const calls = callsOf(
      await answerTo([called([part('a', '{}', { id: 'c1' }), part('b', '{}', { index: 1, id: 7 })])]),
    );
    expect(calls.map(({ id }) => id)).toEqual(['c1', '7']);
  });

  test('stays the one that was made, though the provider gives one later', async () => {
    const [call] = callsOf(await answerTo([called([part('a', '{')]), called([part(undefined, '}', { id: 'late' })])]));
    expect(call).toMatchObject({ args: '{}', idCount: 1 });
    expect(call?.id).not.toContain('late');
  });
});

describe('the old form of a call', () => {
  const old = (function_call: object, reason: string | null = null) => ({
    choices: [{ index: 0, delta: { function_call }, finish_reason: reason }],
  });

  test('is a call like any other, streamed and whole', async () => {
    const streamedReply = [
      old({ name: 'get_a', arguments: '' }),
      old({ arguments: '{"x":' }),
      old({ arguments: '1}' }),
    ];
    await using first = await startFakeProvider(streamed([...streamedReply, finish('function_call'), doneMark]));
    await using second = await startFakeProvider((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const message = { content: null, function_call: { name: 'get_a', arguments: '{"x":1}' } };
      response.end(JSON.stringify({ choices: [{ message, finish_reason: 'function_call' }] }));
    });
    for (const { url } of [first, second]) {
      await using gateway = await startTestGateway({ models: [modelAt(url)] });
      const responses = await gateway.ask();
      expect(callsOf(responses)).toMatchObject([{ name: 'get_a', args: '{"x":1}', idCount: 1 }]);
      expect(doneOf(responses).outcome).toBe(Outcome.TOOL_CALLS);
    }
  });

  test.each(['tool_calls', 'function_call', 'tool_use'])(
    'an end by %s without a call is no success',
    async (reason) => {
      await using server = await startFakeProvider(streamed([content('Let me see.'), finish(reason), doneMark]));
      await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
      expect(doneOf(await gateway.ask()).outcome).toBe(Outcome.UPSTREAM_ERROR);
    },
  );
});

test.each(['null', 'None', ''])('a finish_reason of "%s" ends nothing', async (word) => {
  const chunk = (text: string) => ({ choices: [{ index: 0, delta: { content: text }, finish_reason: word }] });
  await using server = await startFakeProvider(streamed([chunk('Hel'), chunk('lo'), finish('stop'), doneMark]));
  await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
  const responses = await gateway.ask();
  const text = responses.map(({ event }) => (event.case === 'textDelta' ? event.value.text : '')).join('');
  expect([text, doneOf(responses).outcome]).toEqual(['Hello', Outcome.COMPLETE]);
});
