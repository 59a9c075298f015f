import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ToolCallStatus as Status } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { PersonalDataConfigSchema, PersonalDataMode } from '#gen/ragmesh/config/v1/config_pb.ts';
import { MessageRole, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { readPersonalData } from '#kit/personal-data/policy.ts';
import { type ChatMesh, says, startChat } from '../../testing/chat.ts';
import { type OrderTool, startOrderTool } from '../../testing/order-tool.ts';

const order = 'A-4711';
const phone = '13812345678';

describe.each([
  ['mask', PersonalDataMode.MASK],
  ['reversible', PersonalDataMode.REVERSIBLE],
] as const)('%s', (name, mode) => {
  let orders: OrderTool;
  let chat: ChatMesh;
  beforeAll(async () => {
    orders = await startOrderTool(() => ({ roles: [Role.OPERATOR] }));
    const keys = [{ id: 'k1', key: Buffer.alloc(32, 9).toString('base64') }];
    const personalData = create(PersonalDataConfigSchema, { policies: [{ mode, patterns: ['A-\\d+'] }], keys });
    chat = await startChat({ settings: { tools: orders.tools, personalData: readPersonalData(personalData) } });
    chat.script.models = [{ name: 'writer', provider: 'stand-in', generative: true, tools: true }];
  });
  afterAll(async () => {
    await chat[Symbol.asyncDispose]();
    orders.close();
  });
  beforeEach(() => {
    for (const list of Object.values(chat.seen)) list.length = 0;
    orders.seen.length = 0;
    orders.reply = { order_id: order, courier: `Call ${phone}` };
  });
  const received = () => JSON.stringify(chat.seen, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  /** The model calls the tool with the mask that it reads, and repeats the result. */
  const calling = (tool: string) => {
    chat.script.generate = (request) => {
      const last = request.messages.at(-1);
      if (last?.role === MessageRole.TOOL)
        return says(`Call ${/Call (\S+)/.exec(request.evidence.at(-1)?.text ?? '')?.[1]} [3].`);
      const order_id = /\[NUMBER_\w+\]/.exec(last?.text ?? '')?.[0];
      return (async function* () {
        const value = { index: 0, id: 'c1', name: tool, argumentsJson: JSON.stringify({ order_id }) };
        yield { case: 'toolCallDelta' as const, value };
        yield { case: 'done' as const, value: { outcome: Outcome.TOOL_CALLS } };
      })();
    };
  };

  test('a tool reads the original, and what it returns is masked for the model', async () => {
    calling('get_order');
    const asked = await chat.ask({ question: `Where is order ${order}?` });
    expect(orders.seen.map(({ call }) => call)).toEqual([`GET /orders/${order}`]);
    expect(received()).not.toMatch(/A-4711|13812345678/);
    expect(chat.seen.records[0]?.toolCalls).toMatchObject([{ status: Status.SUCCEEDED }]);
    expect(asked.text).toMatch(name === 'mask' ? /^Call \[PHONE_\d\] \[3\]\.$/ : `Call ${phone} [3].`);
  });

  test('a call that waited for approval is made only if its original was kept', async () => {
    calling('cancel_order');
    const asked = await chat.ask({ question: `Cancel order ${order}`, createSession: true });
    expect(orders.seen).toEqual([]);
    const callId = chat.seen.records[0]?.toolCalls[0]?.callId ?? '';
    await chat.ask({ question: 'yes', sessionId: asked.sessionId, toolDecision: { callId, approved: true } });
    expect(orders.seen.map(({ call }) => call)).toEqual(name === 'mask' ? [] : [`DELETE /orders/${order}`]);
    expect(received()).not.toContain(order);
  });
});

test('a call without a model is planned with the original', async () => {
  const orders = await startOrderTool(() => ({ roles: [Role.OPERATOR] }));
  const personalData = readPersonalData(create(PersonalDataConfigSchema, { policies: [{ patterns: ['A-\\d+'] }] }));
  await using chat = await startChat({ settings: { tools: orders.tools, personalData } });
  chat.script.models = [{ name: 'writer', provider: 'stand-in', generative: true }];
  chat.script.generate = () => says('On its way [1].');
  await chat.ask({ question: `Where is my order ${order}?` });
  expect(orders.seen.map(({ call }) => call)).toEqual([`GET /orders/${order}`]);
  const records = JSON.stringify(chat.seen.records, (_, value) => (typeof value === 'bigint' ? 0 : value));
  expect(records).not.toContain(order);
  orders.close();
});
