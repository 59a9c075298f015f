import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome, CacheLayer, ToolCallStatus } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { serveOrders } from '../../deployments/sample-orders/server.ts';
import { askWhole, startWholeMesh, type WholeMesh } from './testing/whole-mesh.ts';

let orders: Awaited<ReturnType<typeof serveOrders>>;
let mesh: WholeMesh;
let chat: Client<typeof ChatService>;
const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
const callsOf = ({ events }: Awaited<ReturnType<typeof askWhole>>) =>
  events.flatMap(({ event }) => (event.case === 'toolCall' ? [event.value] : []));

beforeAll(async () => {
  const privateKey = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  orders = await serveOrders(privateKey);
  const yaml = readFileSync(new URL('../../deployments/sample-orders/ragmesh.yaml', import.meta.url), 'utf8');
  const config = fromJson(ConfigSchema, parse(yaml.replaceAll('50061', String(orders.port))) as JsonValue);
  const { tools } = config.chat ?? {};
  mesh = await startWholeMesh({ sample: false, config: { identity: { privateKey }, chat: { tools: tools ?? [] } } });
  chat = createClient(ChatService, createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2' }));
});
afterAll(async () => {
  await mesh.close();
  await orders.close();
});

describe('an order is looked up at its service', () => {
  test.each([
    ['Where is my order PPR-10482?', /on its way.+SF1404210482.+2026-12-05\. \[1\]$/],
    ['我的订单PPR-10482到哪了？', /运输中.+SF1404210482.+2026-12-05 送达。 \[1\]$/],
  ])('%s', async (question, expected) => {
    const answer = await askWhole(chat, { question }, as(mesh.customerKey));
    expect(answer.text).toMatch(expected);
    expect(answer.done).toMatchObject({ outcome: AnswerOutcome.ANSWERED, verified: true, degradations: [] });
    expect(answer.citations).toMatchObject([{ marker: 1, documentId: 'tool:order_status', title: 'Order status' }]);
    expect(answer.sources[0]?.text).toContain('tracking_number: SF1404210482');
    expect(callsOf(answer).map(({ status }) => status)).toEqual([ToolCallStatus.RUNNING, ToolCallStatus.SUCCEEDED]);
  });

  test('and is in the audit with its arguments', async () => {
    const { done } = await askWhole(chat, { question: 'Where is my order PPR-10482?' }, as(mesh.devKey));
    const audit = createClient(AuditService, createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2' }));
    const [entry] = await collect(audit.queryAudit({ answerId: done.answerId }, as(mesh.devKey)));
    expect(entry?.entry?.record?.toolCalls).toMatchObject([
      { tool: 'order_status', argumentsJson: '{"order_id":"PPR-10482"}', status: ToolCallStatus.SUCCEEDED },
    ]);
  });
});

test('another caller does not get it, neither from the service nor from the cache', async () => {
  const question = 'Where is my order LMP-10511?';
  for (const key of [mesh.customerKey, mesh.customerKey]) {
    const own = await askWhole(chat, { question }, as(key));
    expect(own.text).toContain('being packed');
    expect(own.done.cacheLayer).toBe(CacheLayer.UNSPECIFIED);
  }
  const other = await askWhole(chat, { question }, as(mesh.devKey));
  expect(other.text).not.toContain('being packed');
  expect(other.done.outcome).toBe(AnswerOutcome.REFUSED);
  expect(callsOf(other).at(-1)).toMatchObject({ status: ToolCallStatus.FAILED });
  expect(other.done.degradations.length).toBeGreaterThan(0);
});

test('a question without a number is asked back, and the number alone answers it', async () => {
  const first = await askWhole(chat, { question: 'Where is my order?', createSession: true }, as(mesh.customerKey));
  expect(first.text).toContain('give me the number');
  expect(first.events.some(({ event }) => event.case === 'clarification')).toBe(true);
  const { sessionId } = first.done;
  const second = await askWhole(chat, { question: 'PPR-10482', sessionId }, as(mesh.customerKey));
  expect(second.text).toMatch(/on its way.+\[1\]$/);
});
