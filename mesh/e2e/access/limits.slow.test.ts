import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import { LimitService } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { AuditService, ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { startScriptedModel } from '../testing/scripted-model.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';

const poll = { timeout: 30_000, interval: 100 };

test('an administrator limits a model, raises it and ends the raise by rpc: each is in force on the OpenAI wire within seconds, and in the audit', async () => {
  await using model = await startScriptedModel();
  const settings = { model: 'scripted', base_url: model.url, api_key: 'none' };
  const models = [{ adapter: 'openai-compatible', name: 'writer', settings }];
  await using mesh = await startWholeMesh({ sample: false, config: { llmGateway: { models } } as never });
  const authorize: Interceptor = (next) => (request) => {
    request.header.set('x-api-key', mesh.devKey);
    return next(request);
  };
  const transport = createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2', interceptors: [authorize] });
  const limits = createClient(LimitService, transport);
  const complete = async () => {
    const response = await fetch(`${mesh.edgeUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${mesh.devKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'writer', messages: [{ role: 'user', content: 'Say hello.' }] }),
    });
    return { status: response.status, text: await response.text() };
  };
  const statusOf = async () => (await complete()).status;
  expect(await statusOf()).toBe(200);
  const target = { layer: 'model', name: 'writer' };
  await limits.putLimit({ target, limit: { requestsPerMinute: 1n }, expectedEtag: '0' });
  await expect.poll(statusOf, poll).toBe(429);
  expect((await complete()).text).toContain('model');
  const { limits: stored } = await limits.listStoredLimits({});
  const until = timestampFromMs(Date.now() + 3_600_000);
  const raise = { target, limit: { requestsPerMinute: 100_000n }, until, reason: 'sale' };
  await limits.raiseLimit({ ...raise, expectedEtag: stored[0]?.etag ?? '' });
  await expect.poll(statusOf, poll).toBe(200);
  await expect(limits.endRaise({ target, expectedEtag: stored[0]?.etag ?? '' })).rejects.toThrow('changed');
  await limits.endRaise({ target });
  await expect.poll(statusOf, poll).toBe(429);
  await limits.removeLimit({ target });
  await expect.poll(statusOf, poll).toBe(200);
  const actions: (ChangeAction | undefined)[] = [];
  for await (const { entry } of createClient(AuditService, transport).queryAudit({ onlyChanges: true }))
    actions.push(entry?.record?.change?.action);
  expect(actions.toReversed()).toEqual([
    ChangeAction.LIMIT_PUT,
    ChangeAction.LIMIT_RAISED,
    ChangeAction.RAISE_ENDED,
    ChangeAction.LIMIT_REMOVED,
  ]);
});
