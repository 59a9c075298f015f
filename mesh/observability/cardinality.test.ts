import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../e2e/testing/whole-mesh.ts';

/** Callers of a batch, each with names that no one has used before: more than have labels of their own. */
const callerCount = 22;

/** Calls with names that a caller chooses: tenant, user, corpus, model, path, method, trace. */
async function callWithNewNames(mesh: WholeMesh, batch: string): Promise<void> {
  const roles = [Role.READER, Role.EDITOR, Role.AUDITOR, Role.OPERATOR, Role.MODEL_USER];
  for (let at = 0; at < callerCount; at++) {
    const name = `${batch}-${at}`;
    const options = await mesh.as(create(PrincipalSchema, { tenant: name, user: `user-${name}`, roles }));
    await askWhole(mesh.client(ChatService), { question: `Is ${name} free?` }, options);
    await mesh.client(RetrievalService).listCorpora({}, options);
    const generated = mesh.client(LLMGatewayService).generate({ model: `model-${name}` }, options);
    await drain(generated);
    const headers = {
      authorization: `Bearer ${mesh.devKey}`,
      'content-type': 'application/json',
      'user-agent': name,
      'x-request-id': name,
      traceparent: `00-${'a'.repeat(30)}${String(at).padStart(2, '0')}-${'b'.repeat(16)}-01`,
    };
    const body = JSON.stringify({ model: `model-${name}`, messages: [{ role: 'user', content: name }] });
    const pages: readonly (readonly [string, RequestInit])[] = [
      [`/v1/chat/completions?${name}`, { method: 'POST', body }],
      [`/${name}`, {}],
      [`/ragmesh.chat.v1.ChatService/${name}`, { method: 'POST', body: '{}' }],
      [`/ragmesh.${name}.v1.Service/Call`, { method: 'POST', body: '{}' }],
    ];
    for (const [path, request] of pages) await (await fetch(`${mesh.edgeUrl}${path}`, { ...request, headers })).text();
  }
}

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _ of messages);
  } catch {
    // A model that does not exist is refused.
  }
}

/** Returns each series of the metrics page: a name with its labels. */
async function seriesOf(mesh: WholeMesh): Promise<Set<string>> {
  const page = await (await fetch(`http://127.0.0.1:${mesh.host.adminPort}/metrics`)).text();
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Set(lines.map((line) => line.slice(0, line.lastIndexOf(' '))));
}

test('names that callers choose make no series of their own, beyond the first tenants', async () => {
  await using mesh = await startWholeMesh({ sample: false });
  await callWithNewNames(mesh, 'first');
  const before = await seriesOf(mesh);
  expect([...before].filter((each) => each.includes('tenant="first-')).length).toBeGreaterThan(0);
  await callWithNewNames(mesh, 'second');
  const added = [...(await seriesOf(mesh))].filter((each) => !before.has(each));
  expect(added.filter((each) => each.includes('second-'))).toEqual([]);
  // What is left is of kinds of ends, such as an answer that was slow, of which there are few.
  expect(added.length).toBeLessThan(40);
  expect(before.size + added.length).toBeLessThan(4000);
}, 60_000);
