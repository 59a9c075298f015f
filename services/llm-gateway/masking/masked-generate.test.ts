import { describe, expect, test } from 'vitest';
import { PersonalDataMode } from '#gen/ragmesh/config/v1/config_pb.ts';
import {
  type GenerateResponse,
  LLMGatewayService,
  MessageRole,
  Task,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { llmGateway } from '../index.ts';
import { createAuditStandIn, modelAt } from '../testing/gateway.ts';
import { content, doneMark, finish, type Responder, startFakeProvider, streamed } from '../testing/provider-server.ts';

const phone = '13812345678';
const textOf = (responses: GenerateResponse[]) =>
  responses.map(({ event }) => (event.case === 'textDelta' ? event.value.text : '')).join('');

/** Repeats the mask of the request in pieces, and adds a number of its own. */
const echoing =
  (bodies: string[]): Responder =>
  (response, request, body) => {
    bodies.push(JSON.stringify(body));
    const mask = /\[PHONE_\w+\]/.exec(JSON.stringify(body))?.[0] ?? '';
    const pieces = ['Yours: ', ...mask, ' 1399', '9999999.', ' Done'].map(content);
    streamed([...pieces, finish('stop'), doneMark])(response, request, body);
  };

describe.each([
  ['mask', PersonalDataMode.MASK, 'Yours: [PHONE_1] [PHONE]. Done'],
  ['reversible', PersonalDataMode.REVERSIBLE, `Yours: ${phone} [PHONE]. Done`],
] as const)('%s', (_, mode, shown) => {
  test('a provider gets masks, and the caller what the policy allows', async () => {
    const bodies: string[] = [];
    await using server = await startFakeProvider(echoing(bodies));
    const keys = [{ id: 'k1', key: Buffer.alloc(32, 3).toString('base64') }];
    const config = { llmGateway: { models: [modelAt(server.url)] }, personalData: { policies: [{ mode }], keys } };
    await using mesh = await startTestMesh([createAuditStandIn().service, llmGateway], { config });
    const request = {
      messages: [{ role: MessageRole.USER, text: `I am at ${phone}` }],
      evidence: [{ title: 'Contacts', text: 'mail li.lei@corp.cn' }],
    };
    const responses = await collect(mesh.client(LLMGatewayService).generate(request, await mesh.as()));
    expect(bodies.join()).not.toMatch(/13812345678|li\.lei/);
    expect(textOf(responses)).toBe(shown);
    expect(responses.at(-1)?.event.case).toBe('done');
  });
});

test('what chat sends with its task is masked already, and stays', async () => {
  const bodies: string[] = [];
  await using server = await startFakeProvider(echoing(bodies));
  const config = { llmGateway: { models: [modelAt(server.url)] }, personalData: { policies: [{}] } };
  await using mesh = await startTestMesh([createAuditStandIn().service, llmGateway], { config });
  const messages = [{ role: MessageRole.USER, text: 'Which store has 021-62881234?' }];
  await collect(mesh.client(LLMGatewayService).generate({ messages, task: Task.ANSWER }, await mesh.as()));
  expect(bodies.join()).toContain('021-62881234');
});
