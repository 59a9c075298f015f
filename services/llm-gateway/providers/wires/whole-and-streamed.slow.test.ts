import { ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type GenerateResponse, MidStreamPolicy } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import {
  doneOf,
  eventually,
  modelAt,
  startTestGateway,
  type TestGateway,
  textOf,
  usagesOf,
} from '../../testing/gateway.ts';
import {
  content,
  doneMark,
  eitherWay,
  failed,
  finish,
  type Responder,
  startFakeProvider,
} from '../../testing/provider-server.ts';

// A provider that answers the same in one piece and as a stream: its caller gets the same, and pays the same.

interface Answer {
  /** Pieces of the text; they may cut a character. */
  pieces: string[];
  reasoning: string;
  calls: { name: string; arguments: string }[];
  reason: string | null;
  usage: object | undefined;
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const count = fc.oneof(fc.integer({ min: 0, max: 500 }), fc.constantFrom<unknown>(-1, 1.5, null, '7', 1e19));
const answers: fc.Arbitrary<Answer> = fc.record({
  pieces: fc
    .tuple(text, fc.array(fc.nat(40), { maxLength: 4 }))
    .map(([whole, cuts]) =>
      [...cuts, 0].sort((a, b) => a - b).map((from, index, all) => whole.slice(from, all[index + 1])),
    ),
  reasoning: fc.oneof(fc.constant(''), text),
  calls: fc.array(fc.record({ name: fc.constantFrom('find', 'count'), arguments: fc.json() }), { maxLength: 2 }),
  reason: fc.constantFrom('stop', 'length', 'content_filter', 'tool_calls', 'whatever', 'null', '', null),
  usage: fc.option(
    fc.record({
      prompt_tokens: count,
      completion_tokens: count,
      prompt_tokens_details: fc.record({ cached_tokens: count }),
    }),
    { nil: undefined },
  ),
});

const toCall = (call: Answer['calls'][number], index: number) => ({
  ...{ index, id: `call_${index}`, type: 'function', function: call },
});

function pieceOf({ pieces, reasoning, calls, reason, usage }: Answer): string {
  const message = {
    ...{ role: 'assistant', content: pieces.join('') },
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls.map(toCall) }),
  };
  return JSON.stringify({ choices: [{ index: 0, message, finish_reason: reason }], ...(usage && { usage }) });
}

function streamOf({ pieces, reasoning, calls, reason, usage }: Answer): string {
  const delta = (given: object) => ({ choices: [{ index: 0, delta: given, finish_reason: null }] });
  const chunks = [
    ...(reasoning === '' ? [] : [delta({ reasoning_content: reasoning })]),
    ...pieces.map(content),
    ...calls.map((call, index) => delta({ tool_calls: [toCall(call, index)] })),
    ...(reason === null ? [] : [finish(reason)]),
    ...(usage === undefined ? [] : [{ choices: [], usage }]),
  ];
  return chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('') + doneMark;
}

/** Sends a body in pieces of bytes, which may cut a character. */
const inPieces =
  (type: string, body: string, cuts: readonly number[]): Responder =>
  async (response) => {
    const bytes = Buffer.from(body);
    const ends = [...cuts.map((share) => Math.floor(share * bytes.length)), bytes.length].sort((a, b) => a - b);
    response.writeHead(200, { 'content-type': type });
    let from = 0;
    for (const end of ends) {
      response.write(bytes.subarray(from, end));
      from = end;
      await new Promise(setImmediate);
    }
    response.end();
  };

const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 });
const replies: fc.Arbitrary<Responder> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(answers, shares)
      .map(([answer, cuts]) =>
        eitherWay(
          inPieces('text/event-stream', streamOf(answer), cuts),
          inPieces('application/json', pieceOf(answer), cuts),
        ),
      ),
  },
  fc
    .tuple(fc.constantFrom(400, 401, 404, 429, 500, 503), fc.constantFrom('', 'content_filter', 'insufficient_quota'))
    .map(([status, code]) => failed(status, { message: 'no', code })),
  fc.constantFrom(
    eitherWay(inPieces('text/event-stream', 'data: {{{\n\n', []), inPieces('application/json', '{{{', [])),
    eitherWay(inPieces('text/event-stream', '', []), inPieces('application/json', ' ', [])),
    inPieces('text/html', '<html>', []),
  ),
);

/** What the caller sees, and what the ledger has. */
async function resultOf(gateway: TestGateway, model: string, run: number) {
  const requestId = `${model}-${run}`;
  const midStreamPolicy = MidStreamPolicy.HOLD_BACK;
  const seen = await gateway.ask({ model, midStreamPolicy, requestId }).then(shown, (thrown) => {
    const error = ConnectError.from(thrown);
    const { reason, metadata } = errorInfoOf(error) ?? {};
    return { code: error.code, reason, kind: metadata?.provider_reason };
  });
  await eventually(async () => expect(await gateway.metric('ragmesh_llm_ledger_pending')).toBe(0));
  const charged = gateway.entries.get(requestId)?.usages.map(({ usage }) => usage);
  return { seen, charged };
}

function shown(responses: readonly GenerateResponse[]) {
  const { outcome, providerReason, attemptCount } = doneOf(responses);
  const of = (kind: 'reasoningDelta') =>
    responses.map(({ event }) => (event.case === kind ? event.value.text : '')).join('');
  const calls: string[] = [];
  for (const { event } of responses) {
    if (event.case !== 'toolCallDelta') continue;
    const { index, id, name, argumentsJson } = event.value;
    calls[index] = `${calls[index] ?? ''}${id}${name}${argumentsJson}`;
  }
  return {
    ...{ outcome, providerReason, attemptCount, calls, text: textOf(responses) },
    ...{ reasoning: of('reasoningDelta'), usages: usagesOf(responses) },
  };
}

test('a reply in one piece and the same reply as a stream have the same answer, the same error and the same charge', async () => {
  let current: Responder = () => {};
  await using server = await startFakeProvider((...call) => current(...call));
  const names = ['whole', 'streams'];
  await using gateway = await startTestGateway({
    models: names.map((name) => modelAt(server.url, name, { whole: name === 'whole' })),
    maxAttempts: 1,
    breaker: { failures: 1000 },
    prices: {
      ...{ version: '1', currency: 'USD' },
      prices: names.map((model) => ({ model, prompt: 2, completion: 4, cachedPrompt: 1 })),
    },
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(replies, async (reply) => {
      current = reply;
      run += 1;
      const [whole, streamed] = [await resultOf(gateway, 'whole', run), await resultOf(gateway, 'streams', run)];
      expect(whole).toEqual(streamed);
    }),
    { numRuns: 60 },
  );
  expect(server.requests).toContainEqual(expect.objectContaining({ stream: false }));
  expect(server.requests).toContainEqual(expect.objectContaining({ stream: true }));
}, 60_000);
