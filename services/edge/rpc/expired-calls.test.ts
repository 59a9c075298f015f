import { afterAll, beforeAll, expect, test } from 'vitest';
import { envelop } from '#kit/rpc/connect/wire.ts';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh;
beforeAll(async () => {
  edge = await startEdgeMesh();
});
afterAll(() => edge.mesh.close());

const json = (message: object) => Buffer.from(JSON.stringify(message));

test.each([
  ['Ask', 'application/connect+json', envelop(0, json({ question: 'when?' }))],
  ['GetSession', 'application/json', json({ sessionId: 's1' })],
])('a call of %s whose timeout is 0 ends deadline_exceeded and is not begun', async (name, contentType, body) => {
  const response = await fetch(`${edge.url}/ragmesh.chat.v1.ChatService/${name}`, {
    method: 'POST',
    headers: { 'content-type': contentType, 'connect-timeout-ms': '0', ...edge.authorization },
    body: new Uint8Array(body),
  });
  expect(await response.text()).toContain('"code":"deadline_exceeded"');
  expect(edge.seen.callers).toEqual([]);
});
