import { ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import type { GenerateResponse } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { modelAt, startTestGateway } from '../testing/gateway.ts';
import { content, finish, startFakeProvider, streamed, usage } from '../testing/provider-server.ts';

const whole = streamed([content('ok'), finish('stop'), usage(10, 2)]);
const warningsOf = (responses: readonly GenerateResponse[]) =>
  responses.flatMap(({ event }) => (event.case === 'started' ? event.value.warnings : []));

test('a completion that is longer than a limit of the tenant or key is shortened to it, with a warning', async () => {
  await using server = await startFakeProvider(whole);
  const limits = {
    tenants: { small: { maxCompletionTokens: 500 }, large: { maxCompletionTokens: 200_000 } },
    defaultKey: { maxCompletionTokens: 150_000 },
    keys: { narrow: { maxCompletionTokens: 100 } },
  };
  await using gateway = await startTestGateway({ models: [modelAt(server.url)], limits });
  const cases: [tenant: string, limitKey: string, maxTokens: number, sent: number | undefined][] = [
    // Without limits of its own, a tenant has the default one.
    ['other', '', 100_000, 32_768],
    ['constructor', '', 100_000, 32_768],
    ['other', '', 32_768, 32_768],
    ['small', '', 501, 500],
    ['small', '', 500, 500],
    ['small', 'narrow', 500, 100],
    ['large', '', 100_000, 100_000],
    ['large', 'any', 200_000, 150_000],
    // No length was asked for: that of the model holds.
    ['small', '', 0, undefined],
  ];
  for (const [tenant, limitKey, maxTokens, sent] of cases) {
    const options = await gateway.mesh.as(testPrincipal({ tenant }));
    const responses = await collect(gateway.stream({ limitKey, maxTokens }, options));
    expect((server.requests.at(-1) as { max_tokens?: number }).max_tokens, `${tenant} ${maxTokens}`).toBe(sent);
    const isShortened = sent !== undefined && sent < maxTokens;
    expect(warningsOf(responses)).toEqual(
      isShortened ? [`max_tokens was lowered from ${maxTokens} to ${sent}, the limit of the tenant or key`] : [],
    );
  }
});

test('a completion that is longer than the model writes is refused with the length that it writes', async () => {
  await using server = await startFakeProvider(whole);
  await using gateway = await startTestGateway({ models: [modelAt(server.url, 'gpt', { maxOutputTokens: 4096 })] });
  const error = ConnectError.from(await gateway.ask({ maxTokens: 5000 }).then(undefined, (thrown) => thrown));
  expect(errorInfoOf(error)).toMatchObject({ reason: 'NO_MODEL_FITS' });
  expect(error.rawMessage).toContain('completion of 5000 tokens (it writes at most 4096)');
  expect(server.requests).toHaveLength(0);
});
