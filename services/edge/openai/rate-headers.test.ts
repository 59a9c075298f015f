import OpenAI, { RateLimitError } from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createScriptedGateway } from '../testing/scripted-gateway.ts';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh;
let client: OpenAI;
let now = Date.UTC(2026, 11, 1);
beforeAll(async () => {
  edge = await startEdgeMesh({
    llm: createScriptedGateway().impl,
    clock: () => now,
    config: { edge: { userRequestsPerSecond: 1, userBurst: 3, tenantRequestsPerSecond: 100, tenantBurst: 200 } },
  });
  client = new OpenAI({ apiKey: edge.edge.devKeys?.dev ?? '', baseURL: `${edge.url}/v1`, maxRetries: 0 });
});
afterAll(() => edge.mesh.close());

const say = (content: string, model: string) => ({ model, messages: [{ role: 'user' as const, content }] });
const limitsOf = ({ headers }: { headers: Headers }) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('x-ratelimit-')));

test('every reply of the OpenAI routes says what is left of the rate of its caller, a refusal as well', async () => {
  now += 60_000;
  const { response } = await client.chat.completions.create(say('returns?', 'ragmesh')).withResponse();
  expect(limitsOf(response)).toEqual({
    'x-ratelimit-limit-requests': '3',
    'x-ratelimit-remaining-requests': '2',
    'x-ratelimit-reset-requests': '1s',
  });
  const { response: listed } = await client.models.list().withResponse();
  expect(limitsOf(listed)).toMatchObject({ 'x-ratelimit-remaining-requests': '1', 'x-ratelimit-reset-requests': '2s' });
  const bad = await client.chat.completions.create({ ...say('', 'gpt-5'), temperature: 9 }).catch((error) => error);
  expect(bad.headers.get('x-ratelimit-remaining-requests')).toBe('0');
  const refused: RateLimitError = await client.models.list().then(
    () => expect.unreachable(),
    (error) => error,
  );
  expect(refused).toBeInstanceOf(RateLimitError);
  expect(limitsOf({ headers: refused.headers })).toEqual({
    'x-ratelimit-limit-requests': '3',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '1s',
  });
});

test('a completion of a plain model says what is left of the minute, whole and streamed', async () => {
  now += 60_000;
  const minute = {
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': '59',
    'x-ratelimit-reset-requests': '1m2s',
    'x-ratelimit-limit-tokens': '9000',
    'x-ratelimit-remaining-tokens': '8000',
    'x-ratelimit-reset-tokens': '900ms',
  };
  const whole = await client.chat.completions.create(say('counted', 'gpt-5')).withResponse();
  expect(limitsOf(whole.response)).toEqual(minute);
  const streamed = await client.chat.completions.create({ ...say('counted', 'gpt-5'), stream: true }).withResponse();
  for await (const _ of streamed.data);
  expect(limitsOf(streamed.response)).toEqual(minute);
});
