import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AnswerOutcome, ToolCallStatus } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { MessageRole, ReasoningEffort, ToolChoiceMode } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { createScriptedGateway } from '../../testing/scripted-gateway.ts';
import { type AskEvent, type EdgeMesh, startEdgeMesh } from '../../testing/stand-ins.ts';

let edge: EdgeMesh;
let client: OpenAI;
const { impl, asked, openCount } = createScriptedGateway();
beforeAll(async () => {
  edge = await startEdgeMesh({ llm: impl, answer });
  client = new OpenAI({ apiKey: edge.edge.devKeys?.dev ?? '', baseURL: `${edge.url}/v1`, maxRetries: 0 });
});
afterAll(() => edge.mesh.close());

/** Answers with a source, in a session if one was asked for; "cancel" proposes the call of a tool. */
async function* answer(request: {
  question: string;
  sessionId: string;
  createSession: boolean;
}): AsyncGenerator<AskEvent> {
  const sessionId = request.createSession ? 's1' : request.sessionId;
  yield { case: 'started', value: { answerId: 'a1', sessionId, standaloneQuestion: request.question } };
  if (request.question === 'cancel') {
    const waits = {
      callId: 'c1',
      tool: 'cancel_order',
      argumentsJson: '{"order":7}',
      status: ToolCallStatus.NEEDS_APPROVAL,
    };
    yield { case: 'toolCall', value: waits };
  }
  yield { case: 'textDelta', value: { text: 'Within 30 days [1].' } };
  const cited = { chunkId: 'c1', documentId: 'd1', title: 'Returns', url: 'https://help.example/returns' };
  yield { case: 'citation', value: { marker: 1, ...cited } };
  yield { case: 'usage', value: { promptTokens: 120n, completionTokens: 9n } };
  yield { case: 'done', value: { outcome: AnswerOutcome.ANSWERED, answerId: 'a1', sessionId, model: 'extractive' } };
}

type Params = OpenAI.Responses.ResponseCreateParamsNonStreaming;
const ask = (input: Params['input'], extra: Partial<Params> = {}) =>
  client.responses.create({ model: 'gpt-5', input, ...extra });
const streamed = (input: string, extra: Partial<Params> = {}) =>
  client.responses.stream({ model: 'gpt-5', input, ...extra } as never).finalResponse();
const eventsOf = async (input: string, extra: Partial<Params> = {}) => {
  const events: OpenAI.Responses.ResponseStreamEvent[] = [];
  for await (const event of await client.responses.create({ model: 'gpt-5', input, ...extra, stream: true })) {
    events.push(event);
  }
  return events;
};
const failure = async (work: Promise<unknown>): Promise<APIError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
};
const weather = { type: 'function' as const, name: 'weather', parameters: { type: 'object' }, strict: false };

describe('a response of a plain model', () => {
  test('has its text and usage, whole and streamed alike', async () => {
    for (const response of [await ask('hello'), await streamed('hello')]) {
      expect(response).toMatchObject({
        id: expect.stringMatching(/^resp_/),
        object: 'response',
        status: 'completed',
        model: 'gpt-5-2025',
        store: false,
        output_text: 'Hello.',
        output: [{ type: 'message', role: 'assistant', status: 'completed' }],
        usage: { input_tokens: 30, output_tokens: 7, total_tokens: 37, input_tokens_details: { cached_tokens: 10 } },
      });
    }
  });

  test('streams events of items, numbered', async () => {
    const events = await eventsOf('think');
    expect(events.map(({ type }) => type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.reasoning_summary_part.added',
      'response.reasoning_summary_text.delta',
      'response.reasoning_summary_text.done',
      'response.reasoning_summary_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(events.map(({ sequence_number: number }) => number)).toEqual(events.map((_, index) => index));
  });

  test('calls tools, also when the parts of their arguments alternate', async () => {
    for (const response of [
      await ask('weather', { tools: [weather] }),
      await streamed('weather', { tools: [weather] }),
    ]) {
      expect(response.output).toMatchObject([
        {
          type: 'function_call',
          call_id: 'call_1',
          name: 'weather',
          arguments: '{"city":"Oslo"}',
          status: 'completed',
        },
        { type: 'function_call', call_id: 'call_2', name: 'weather', arguments: '{"city":"Bergen"}' },
      ]);
      expect(response.tools).toMatchObject([weather]);
    }
  });

  test('that is cut says why, and takes back what was void', async () => {
    for (const response of [await ask('length'), await streamed('length')]) {
      expect(response).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } });
    }
    expect((await ask('filtered later')).incomplete_details).toEqual({ reason: 'content_filter' });
    expect((await ask('taken back')).output_text).toBe('right');
    expect((await ask('nothing')).output).toEqual([]);
  });
});

describe('a request', () => {
  test('reaches the gateway with its items as messages', async () => {
    await ask(
      [
        { role: 'developer', content: 'Use tools.' },
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'look' },
            { type: 'input_image', image_url: 'https://x.example/a.png', detail: 'auto' },
          ],
        },
        { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'I need the weather.' }] },
        { type: 'function_call', call_id: 't1', name: 'weather', arguments: '{}' },
        { type: 'function_call', call_id: 't2', name: 'weather', arguments: '{"a":1}' },
        { type: 'function_call_output', call_id: 't1', output: 'rain' },
        { type: 'function_call_output', call_id: 't2', output: [{ type: 'input_text', text: 'sun' }] },
        { type: 'message', role: 'assistant', content: 'Mixed.' } as never,
        { role: 'user', content: 'hello' },
      ],
      {
        instructions: 'Be short.',
        max_output_tokens: 99,
        temperature: 0.5,
        tools: [weather],
        tool_choice: { type: 'function', name: 'weather' },
        parallel_tool_calls: false,
        reasoning: { effort: 'low' },
        text: { format: { type: 'json_schema', name: 'shape', schema: { type: 'object' }, strict: true } },
      },
    );
    const request = asked.at(-1);
    expect(request).toMatchObject({
      maxTokens: 99,
      temperature: 0.5,
      parallelToolCalls: false,
      reasoningEffort: ReasoningEffort.LOW,
      toolChoice: { mode: ToolChoiceMode.NAMED, name: 'weather' },
      responseFormat: {
        form: { case: 'jsonSchema', value: { name: 'shape', schemaJson: '{"type":"object"}', strict: true } },
      },
    });
    const { SYSTEM, USER, ASSISTANT, TOOL } = MessageRole;
    expect(
      request?.messages.map(({ role, text, toolCallId, reasoning, toolCalls, images }) => [
        ...[role, text, toolCallId, reasoning, images.length],
        toolCalls.map(({ id, argumentsJson }) => `${id} ${argumentsJson}`).join(),
      ]),
    ).toEqual([
      [SYSTEM, 'Be short.', '', '', 0, ''],
      [SYSTEM, 'Use tools.', '', '', 0, ''],
      [USER, 'look', '', '', 1, ''],
      [ASSISTANT, '', '', 'I need the weather.', 0, 't1 {},t2 {"a":1}'],
      [TOOL, 'rain', 't1', '', 0, ''],
      [TOOL, 'sun', 't2', '', 0, ''],
      [ASSISTANT, 'Mixed.', '', '', 0, ''],
      [USER, 'hello', '', '', 0, ''],
    ]);
  });

  test('is refused with the path of what is not kept or cannot be done', async () => {
    const refused: [object, string][] = [
      [{ previous_response_id: 'resp_1' }, 'previous_response_id'],
      [{ background: true }, 'background'],
      [{ conversation: 'conv_1' }, 'conversation'],
      [{ tools: [{ type: 'web_search' }] }, 'tools[0].type'],
      [{ input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input[0]'],
      [
        { input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'f1' }] }] },
        'input[0].content[0].image_url',
      ],
      [{ no_such_field: 1, model: 'gpt-9' }, 'model'],
    ];
    for (const [extra, path] of refused) {
      const error = await failure(ask('hello', extra as Partial<Params>));
      expect([400, 404]).toContain(error.status);
      expect(error.param).toContain(path.split('.type')[0]);
    }
  });
});

describe('a failure', () => {
  test('before the first word is an HTTP status, and after it an error of the stream', async () => {
    expect(await failure(eventsOf('limit'))).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    expect(await failure(eventsOf('late'))).toMatchObject({ status: 503 });
    for (const input of ['truncated', 'upstream error', 'taken back', 'no end']) {
      expect((await failure(eventsOf(input))).type).toBe('server_error');
      if (input !== 'taken back') expect((await failure(ask(input))).type).toBe('server_error');
    }
    await expect.poll(openCount, { interval: 5 }).toBe(0);
  });
});

describe('an answer from documents', () => {
  test('has its sources as annotations, whole and streamed alike', async () => {
    for (const response of [
      await ask('returns?', { model: 'ragmesh' }),
      await streamed('returns?', { model: 'ragmesh' }),
    ]) {
      expect(response).toMatchObject({
        id: 'resp_a1',
        model: 'ragmesh',
        store: false,
        output_text: 'Within 30 days [1].',
      });
      const [message] = response.output;
      const [part] = message?.type === 'message' ? message.content : [];
      expect(part).toMatchObject({
        annotations: [
          {
            type: 'url_citation',
            start_index: 15,
            end_index: 18,
            url: 'https://help.example/returns',
            title: 'Returns',
          },
        ],
      });
    }
    const types = (await eventsOf('returns?', { model: 'ragmesh' })).map(({ type }) => type);
    expect(types).toContain('response.output_text.annotation.added');
  });

  test('is kept if the caller wants that, and continued at its end only', async () => {
    const first = await ask('returns?', { model: 'ragmesh', store: true });
    expect(first).toMatchObject({ id: 'resp_s1.a1', store: true });
    expect(edge.seen.questions.at(-1)).toMatchObject({ createSession: true, sessionId: '' });
    // The stand-in's session has no turns.
    const error = await failure(ask('And abroad?', { model: 'ragmesh', previous_response_id: first.id }));
    expect(error).toMatchObject({ status: 400, param: 'previous_response_id' });
    const lost = await failure(ask('And abroad?', { model: 'ragmesh', previous_response_id: 'resp_a1' }));
    expect(lost.message).toContain('store: true');
  });

  test('asks for approval of a call of a tool, and takes the decision', async () => {
    const first = await ask('cancel', { model: 'ragmesh' });
    expect(first.output[0]).toMatchObject({
      type: 'mcp_approval_request',
      id: 'c1',
      name: 'cancel_order',
      arguments: '{"order":7}',
    });
    await ask(
      [...(first.output as never[]), { type: 'mcp_approval_response', approval_request_id: 'c1', approve: true }],
      {
        model: 'ragmesh',
      },
    );
    expect(edge.seen.questions.at(-1)).toMatchObject({
      question: 'yes',
      toolDecision: { callId: 'c1', approved: true },
    });
    // Chat completions have fields of their own for it.
    const messages = [{ role: 'user' as const, content: 'cancel' }];
    const completion = await client.chat.completions.create({ model: 'ragmesh', messages });
    expect(completion).toMatchObject({
      tool_approvals: [{ call_id: 'c1', tool: 'cancel_order', status: 'needs_approval' }],
    });
    const decision = { tool_decision: { call_id: 'c1', approved: false } };
    await client.chat.completions.create({
      model: 'ragmesh',
      messages: [{ role: 'user', content: 'no' }],
      ...decision,
    });
    expect(edge.seen.questions.at(-1)).toMatchObject({ toolDecision: { callId: 'c1', approved: false } });
  });
});

describe('the older form of completions', () => {
  test('has the text of the chat form, whole and streamed', async () => {
    const whole = await client.completions.create({ model: 'gpt-5', prompt: 'hello', max_tokens: 5 });
    expect(whole).toMatchObject({
      id: expect.stringMatching(/^cmpl-/),
      object: 'text_completion',
      choices: [{ text: 'Hello.', index: 0, finish_reason: 'stop' }],
      usage: { total_tokens: 37 },
    });
    expect(asked.at(-1)).toMatchObject({ maxTokens: 5 });
    let text = '';
    const stream = await client.completions.create({ model: 'gpt-5', prompt: ['hello'], stream: true });
    for await (const { choices, object } of stream) {
      expect(object).toBe('text_completion');
      text += choices[0]?.text ?? '';
    }
    expect(text).toBe('Hello.');
  });

  test('refuses what it cannot do', async () => {
    for (const extra of [{ prompt: ['a', 'b'] }, { suffix: 'x' }, { echo: true }, { best_of: 2 }, { logprobs: 1 }]) {
      const error = await failure(client.completions.create({ model: 'gpt-5', prompt: 'hello', ...extra }));
      expect(error).toMatchObject({ status: 400, param: Object.keys(extra)[0] });
    }
  });
});

test('a key may come as Azure clients send it', async () => {
  const response = await fetch(`${edge.url}/v1/models`, { headers: { 'api-key': edge.edge.devKeys?.dev ?? '' } });
  expect(response.status).toBe(200);
});
