import { expect, test } from 'vitest';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { collect } from '#kit/base/streams.ts';
import { llmProviderSuite, requestOf } from '../../../suites/llm-provider.suite.ts';
import { passagesOf } from '../../../testing/provider-server.ts';
import { adapter } from './index.ts';

const createProvider = async () =>
  adapter.create({}, { log: createLogger('silent'), path: 'llm_gateway.models[0]', fetch });
const never = new AbortController().signal;

llmProviderSuite('extractive', createProvider);

test('it says what it is', async () => {
  expect(await createProvider()).toMatchObject({
    name: 'extractive',
    capabilities: { generative: false, readsEvidence: true },
  });
});

test('without support in the evidence it refuses, in one sentence and without a marker', async () => {
  const provider = await createProvider();
  const evidence = passagesOf({ title: 'Stores', text: 'Our shop in Suzhou opens at ten.' });
  for (const request of [requestOf({ evidence }), requestOf({ evidence: [] })]) {
    const events = await collect(provider.generate(request, never));
    expect(events).toMatchObject([
      { kind: 'started' },
      { kind: 'text', text: 'The available documents do not answer this question.' },
      { kind: 'end', outcome: Outcome.NO_EVIDENCE },
    ]);
  }
});

test('a limit on tokens leaves whole quotations only', async () => {
  const provider = await createProvider();
  const events = await collect(provider.generate(requestOf({ maxTokens: 3 }), never));
  expect(events).toMatchObject([{ kind: 'started' }, { kind: 'end', outcome: Outcome.LENGTH }]);
});
