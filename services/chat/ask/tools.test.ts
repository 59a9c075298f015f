import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ToolCallUpdate } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import { AnswerOutcome, ToolCallStatus as Status } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { MessageRole, Outcome, ToolChoiceMode } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, gather, says, startChat } from '../testing/chat.ts';
import { type OrderTool, startOrderTool } from '../testing/order-tool.ts';

let orders: OrderTool;
let chat: ChatMesh;
const ann = testPrincipal();
const reader = testPrincipal({ user: 'bob', roles: [Role.READER] });

beforeAll(async () => {
  orders = await startOrderTool(() => ({ roles: [Role.OPERATOR] }));
  chat = await startChat({ settings: { tools: orders.tools } });
  chat.script.models = [
    { name: 'writer', provider: 'stand-in', generative: true, tools: true },
    { name: 'extractive', provider: 'extractive', generative: false },
  ];
});
afterAll(async () => {
  await chat[Symbol.asyncDispose]();
  orders.close();
});
beforeEach(() => {
  orders.seen.length = 0;
  orders.reply = { order_id: 'A-1', status: 'shipped', expected_on: '2026-12-05' };
  chat.seen.generated.length = 0;
  chat.seen.fills.length = 0;
});

/** A model's turn that calls a tool, in two parts. */
async function* callsTool(name: string, given: object, text = '') {
  const json = JSON.stringify(given);
  if (text !== '') yield { case: 'textDelta' as const, value: { text } };
  yield { case: 'toolCallDelta' as const, value: { index: 0, id: 'c1', name, argumentsJson: json.slice(0, 5) } };
  yield { case: 'toolCallDelta' as const, value: { index: 0, argumentsJson: json.slice(5) } };
  yield { case: 'usage' as const, value: { promptTokens: 10n, completionTokens: 1n } };
  yield { case: 'done' as const, value: { outcome: Outcome.TOOL_CALLS } };
}

/** Asks, and gathers the last update of each call too. */
async function ask(request: Parameters<ChatMesh['client']['ask']>[0], principal = ann) {
  const calls = new Map<string, ToolCallUpdate>();
  const stream = chat.client.ask(request, await chat.mesh.as(principal));
  const asked = await gather(stream, ({ event }) => {
    if (event.case === 'toolCall') calls.set(event.value.callId, event.value);
  });
  return { ...asked, calls: [...calls.values()] };
}

describe('a model that can call tools', () => {
  test('gets the result as a source behind those of the documents, and cites it', async () => {
    chat.script.generate = (request) =>
      request.messages.at(-1)?.role === MessageRole.TOOL
        ? says('It is shipped and arrives on 2026-12-05 [3].')
        : callsTool('get_order', { order_id: 'A-1' }, 'Let me look.');
    const asked = await ask({ question: 'Where is order A-1 and how do I return it?' });
    expect(asked.text).toBe('Let me look.\n\nIt is shipped and arrives on 2026-12-05 [3].');
    expect(asked.passages.map(({ documentId }) => documentId)).toEqual(['d1', 'd2', 'tool:get_order']);
    expect(asked.passages[2]?.text).toContain('expected_on: 2026-12-05');
    expect(asked.citations).toMatchObject([{ marker: 3, documentId: 'tool:get_order' }]);
    expect(asked.calls).toMatchObject([{ tool: 'get_order', status: Status.SUCCEEDED, marker: 3 }]);
    expect(asked.done).toMatchObject({ outcome: AnswerOutcome.ANSWERED, verified: true });
    expect(asked.usage).toMatchObject({ promptTokens: 60n, completionTokens: 6n });
    const [first, second] = chat.seen.generated;
    expect(first?.tools.map(({ name }) => name)).toEqual(['get_order', 'cancel_order']);
    expect(second?.evidence).toHaveLength(3);
    expect(second?.messages.at(-2)?.toolCalls).toMatchObject([{ id: 'c1', name: 'get_order' }]);
    expect(second?.messages.at(-1)).toMatchObject({ toolCallId: 'c1', text: 'The result is passage [3].' });
    expect(new Set(chat.seen.generated.map(({ requestId }) => requestId)).size).toBe(2);
    expect(chat.seen.records.at(-1)?.toolCalls).toMatchObject([{ tool: 'get_order', status: Status.SUCCEEDED }]);
  });

  test('calls as its caller: the token names user, tenant and tool, and lives for a minute', async () => {
    chat.script.generate = (request) =>
      request.messages.at(-1)?.role === MessageRole.TOOL
        ? says('Shipped [3].')
        : callsTool('get_order', { order_id: 'A-1' });
    await ask({ question: 'Where is it?' });
    const claims = decodeJwt(orders.seen[0]?.token ?? '');
    expect(claims).toMatchObject({ sub: 'acme/ann', aud: 'ragmesh-tool:get_order', iss: 'ragmesh' });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBeLessThanOrEqual(61);
  });

  test('leaves nothing of such an answer to other callers', async () => {
    chat.script.generate = (request) =>
      request.messages.at(-1)?.role === MessageRole.TOOL
        ? says('Shipped [3].')
        : callsTool('get_order', { order_id: 'A-1' });
    await ask({ question: 'Where is order A-1, please?' });
    await ask({ question: 'Where is order A-1, please?' });
    expect(orders.seen).toHaveLength(2);
    expect(chat.seen.fills.map(({ ended }) => ended)).toEqual(['abandon', 'abandon']);
    const stored = JSON.stringify(chat.seen.fills, (_, value) => (typeof value === 'bigint' ? '' : value));
    expect(stored).not.toContain('hipped');
  });

  test('shares answers without a call among callers with the same tools only', async () => {
    chat.script.generate = () => says('Seven days [1].');
    const question = 'How long can I return it?';
    await ask({ question });
    await ask({ question });
    expect(chat.seen.generated).toHaveLength(1);
    await ask({ question }, reader);
    expect(chat.seen.generated).toHaveLength(2);
    expect(chat.seen.generated[1]?.tools).toEqual([]);
  });

  test.each([
    ['an argument that the schema refuses', 'get_order', { order_id: 'B-9' }],
    ['an identity as an argument', 'get_order', { order_id: 'A-1', user: 'carol' }],
    ['a tool that does not exist', 'drop_database', {}],
  ])('calls nothing with %s', async (_, name, given) => {
    chat.script.generate = (request) =>
      request.messages.at(-1)?.role === MessageRole.TOOL ? says('I cannot say.') : callsTool(name, given);
    await ask({ question: 'Where is it now?', bypassCache: true });
    expect(orders.seen).toEqual([]);
    expect(chat.seen.generated).toHaveLength(2);
    expect(chat.seen.generated[1]?.messages.at(-1)?.text).not.toContain('passage');
  });

  test('must answer after a few turns', async () => {
    chat.script.generate = (request) =>
      request.toolChoice?.mode === ToolChoiceMode.NONE
        ? says('Seven days [1].')
        : callsTool('get_order', { order_id: 'A-1' });
    const asked = await ask({ question: 'Where is my parcel, again and again?' });
    expect(asked.text).toBe('Seven days [1].');
    expect(chat.seen.generated).toHaveLength(4);
    expect(orders.seen).toHaveLength(3);
  });

  test('hears of a failure, and the answer says so', async () => {
    orders.reply = undefined;
    chat.script.generate = (request) =>
      request.messages.at(-1)?.role === MessageRole.TOOL
        ? says('Seven days [1].')
        : callsTool('get_order', { order_id: 'A-1' });
    const asked = await ask({ question: 'Where is it if the service is away?' });
    expect(asked.calls).toMatchObject([{ status: Status.FAILED }]);
    expect(asked.done?.degradations).toMatchObject([{ effect: 'answered without get_order' }]);
    expect(orders.seen).toHaveLength(1);
  });
});

describe('a call that changes something', () => {
  const proposes = async () => {
    chat.script.generate = (request) =>
      request.messages.at(-1)?.role === MessageRole.TOOL
        ? says('It is cancelled [1].')
        : callsTool('cancel_order', { order_id: 'A-1' });
    const asked = await ask({ question: 'Cancel my order A-1' });
    const [call] = asked.calls;
    expect(call).toMatchObject({
      tool: 'cancel_order',
      status: Status.NEEDS_APPROVAL,
      argumentsJson: '{"order_id":"A-1"}',
    });
    expect(asked.done?.outcome).toBe(AnswerOutcome.REPLIED);
    expect(asked.text).toContain('only if you approve');
    expect(orders.seen).toEqual([]);
    return call?.callId ?? '';
  };

  test('waits, and is made once when its caller approves, however often that is said', async () => {
    const callId = await proposes();
    const decision = { question: 'yes', toolDecision: { callId, approved: true } };
    const answers = await Promise.all([ask(decision), ask(decision), ask(decision)]);
    expect(orders.seen.map(({ call }) => call)).toEqual(['DELETE /orders/A-1']);
    const made = answers.filter(({ calls }) => calls.length > 0);
    expect(made).toHaveLength(1);
    expect(made[0]).toMatchObject({ text: 'It is cancelled [1].', calls: [{ status: Status.SUCCEEDED, callId }] });
    expect(answers.filter(({ text }) => text.includes('expired'))).toHaveLength(2);
  });

  test('is not made if its caller declines, or if another one approves', async () => {
    const callId = await proposes();
    const stolen = await ask(
      { question: 'yes', toolDecision: { callId, approved: true } },
      testPrincipal({ user: 'eve' }),
    );
    expect(stolen.text).toContain('expired');
    const declined = await ask({ question: 'no', toolDecision: { callId, approved: false } });
    expect(declined).toMatchObject({ calls: [{ status: Status.DECLINED }], done: { outcome: AnswerOutcome.REPLIED } });
    await ask({ question: 'yes', toolDecision: { callId, approved: true } });
    expect(orders.seen).toEqual([]);
  });

  test('is not made any more if the caller has lost the tool meanwhile', async () => {
    const callId = await proposes();
    const demoted = testPrincipal({ roles: [Role.READER] });
    expect((await ask({ question: 'yes', toolDecision: { callId, approved: true } }, demoted)).text).toContain(
      'expired',
    );
    expect(orders.seen).toEqual([]);
  });
});

describe('a model that cannot call tools', () => {
  test('writes from the result of the tool that the message calls for', async () => {
    chat.script.generate = () => says('It is shipped [1].');
    const asked = await ask({ question: 'Where is my order A-1?', model: 'plain' });
    expect(asked).toMatchObject({ text: 'It is shipped [1].', calls: [{ status: Status.SUCCEEDED, marker: 1 }] });
    expect(chat.seen.generated[0]).toMatchObject({ tools: [], evidence: [{ documentId: 'tool:get_order' }] });
  });

  test('answers from documents if the tool is away, which is said', async () => {
    orders.reply = undefined;
    chat.script.generate = () => says('Seven days [1].');
    const asked = await ask({ question: 'Where is my order A-1?', model: 'extractive' });
    expect(asked).toMatchObject({ text: 'Seven days [1].', calls: [{ status: Status.FAILED }] });
    expect(asked.done?.degradations).toHaveLength(1);
  });
});
