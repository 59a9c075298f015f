import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ErrorInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { A2AService } from '#gen/lf/a2a/v1/a2a_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Answer, type EdgeMesh, shortAnswer, startEdgeMesh } from '../testing/stand-ins.ts';

// The bindings of the protocol over one agent: the same task, whichever binding asks.

const secret = 's'.repeat(32);
let edge: EdgeMesh;
let answer: Answer;
let key: Record<string, string>;
beforeAll(async () => {
  edge = await startEdgeMesh({
    answer: (request, context) => answer(request, context),
    config: { edge: { jwt: { issuer: 'https://id.example', audience: 'ragmesh', secret } } },
  });
  key = await tokenOf('ann');
});
afterAll(() => edge.mesh.close());
beforeEach(() => {
  answer = shortAnswer;
});

const tokenOf = async (user: string, tenant = 'demo') => {
  const token = await new SignJWT({ sub: user, tenant })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('https://id.example')
    .setAudience('ragmesh')
    .setExpirationTime('5m')
    .sign(new TextEncoder().encode(secret));
  return { authorization: `Bearer ${token}` };
};

/** JSON of any shape. */
type Json = ReturnType<typeof JSON.parse>;
const message = (text: string, more: Json = {}) => ({
  messageId: 'm1',
  role: 'ROLE_USER',
  parts: [{ text }],
  ...more,
});
const read = async (response: Response): Promise<Json[]> => {
  const text = await response.text();
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return [JSON.parse(text)];
  return text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice(6))] : []));
};
const rpc = async (method: string, params: Json, headers = key) => {
  const response = await fetch(`${edge.url}/a2a`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, method, params }),
  });
  const replies = await read(response);
  for (const reply of replies) expect(reply).toMatchObject({ jsonrpc: '2.0', id: 7 });
  return replies;
};
const rest = async (verb: string, path: string, body?: Json, headers = key) => {
  const response = await fetch(`${edge.url}/a2a/${path}`, {
    method: verb,
    headers: { 'content-type': 'application/a2a+json', ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, replies: await read(response) };
};

/** The same operation by each binding: its replies in the protocol's JSON, or its error. */
const bindings: Record<string, (method: string, params: Json) => Promise<{ replies: Json[]; reason?: string }>> = {
  'JSON-RPC': async (method, params) => {
    const replies = await rpc(method, params);
    const error = replies[0]?.error;
    return error === undefined
      ? { replies: replies.map(({ result }) => result) }
      : { replies: [], reason: reasonOf(error.data) };
  },
  'HTTP+JSON': async (method, { id, ...params }) => {
    const path = {
      SendMessage: 'message:send',
      SendStreamingMessage: 'message:stream',
      GetTask: `tasks/${id}`,
      CancelTask: `tasks/${id}:cancel`,
      SubscribeToTask: `tasks/${id}:subscribe`,
      ListTasks: `tasks?${new URLSearchParams(params)}`,
    }[method];
    const isRead = method === 'GetTask' || method === 'ListTasks';
    const body = method.startsWith('Send') ? params : undefined;
    const { status, replies } = await rest(isRead ? 'GET' : 'POST', path ?? '', body);
    return status === 200 ? { replies } : { replies: [], reason: reasonOf(replies[0]?.error.details) };
  },
  ...Object.fromEntries(
    (['gRPC', 'Connect'] as const).map((name) => [
      name,
      async (method: string, params: Json) => {
        const options = { baseUrl: edge.url, httpVersion: '2' as const, useBinaryFormat: name === 'gRPC' };
        const transport = name === 'gRPC' ? createGrpcTransport(options) : createConnectTransport(options);
        const desc = A2AService.methods.find((known) => known.name === method);
        const { fromJson, toJson } = await import('@bufbuild/protobuf');
        if (desc === undefined) throw new Error(method);
        const client = createClient(A2AService, transport) as unknown as Record<string, (...args: unknown[]) => Json>;
        const called = client[desc.localName]?.(fromJson(desc.input, params as never), { headers: key });
        try {
          const replies: Json[] = [];
          if (desc.methodKind === 'unary') replies.push(toJson(desc.output, await called) as Json);
          else for await (const event of called) replies.push(toJson(desc.output, event) as Json);
          return { replies };
        } catch (error) {
          const [, own] = (error as { findDetails(desc: unknown): { reason: string }[] }).findDetails(ErrorInfoSchema);
          return { replies: [], ...(own && { reason: own.reason }) };
        }
      },
    ]),
  ),
};
const reasonOf = (details: Json[] = []) => details.find(({ domain }) => domain === 'a2a-protocol.org')?.reason;

/** An answer of this session and id, which waits behind its first word until it is let on, or its caller leaves. */
const waiting = (sessionId: string, answerId: string) => {
  const gate = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  answer = async function* ({ question }, { signal }) {
    signal.addEventListener('abort', () => {
      left.resolve();
      gate.reject(signal.reason);
    });
    yield { case: 'started', value: { answerId, sessionId, standaloneQuestion: question } };
    yield { case: 'textDelta', value: { text: 'Within ' } };
    await gate.promise;
    yield { case: 'textDelta', value: { text: '30 days.' } };
    yield { case: 'done', value: { outcome: AnswerOutcome.ANSWERED, answerId, sessionId, model: 'extractive' } };
  };
  gate.promise.catch(() => {});
  return { goOn: () => gate.resolve(), left: left.promise };
};

test('the card names every binding, and needs no credentials', async () => {
  const response = await fetch(`${edge.url}/.well-known/agent-card.json`);
  const card = (await response.json()) as Json;
  expect(card.supportedInterfaces.map(({ protocolBinding }: Json) => protocolBinding)).toEqual([
    ...['JSONRPC', 'HTTP+JSON', 'GRPC'],
  ]);
  expect(card.supportedInterfaces[2].url).toBe(new URL(edge.url).host);
  expect(Object.keys(card.securitySchemes)).toEqual(['bearer', 'key', 'oidc']);
  expect(card.capabilities).toEqual({ streaming: true, pushNotifications: false, extendedAgentCard: false });
  expect(JSON.stringify(card)).not.toContain('demo');
});

describe.each(Object.keys(bindings))('over %s', (name) => {
  const call = (method: string, params: Json) => bindings[name]?.(method, params) ?? Promise.reject(new Error(name));

  test('a message becomes a task with text and sources, which can be read again', async () => {
    const asked = edge.seen.questions.length;
    const { replies } = await call('SendMessage', { message: message('Returns?'), metadata: { corpora: ['help'] } });
    const task = replies[0]?.task;
    expect(task).toMatchObject({
      id: 's1.a1',
      contextId: 's1',
      status: { state: 'TASK_STATE_COMPLETED' },
      history: [{ messageId: 'm1', parts: [{ text: 'Returns?' }] }],
    });
    const [text, data] = task.artifacts[0].parts;
    expect(text).toEqual({ text: 'Within 30 days, 退货免费 [1].', mediaType: 'text/markdown' });
    expect(data.data).toMatchObject({ outcome: 'answered', citations: [{ marker: 1, document_id: 'd1' }] });
    expect(edge.seen.questions[asked]).toMatchObject({ question: 'Returns?', createSession: true, corpora: ['help'] });
    expect((await call('GetTask', { id: 's1.a1' })).replies).toEqual([task]);
    const [page] = (await call('ListTasks', { contextId: 's1' })).replies;
    expect(page?.tasks).toMatchObject([{ id: 's1.a1' }]);
    expect(page?.tasks[0].artifacts).toBeUndefined();
  });

  test('a stream is the task, its text in pieces, and its end', async () => {
    const { replies } = await call('SendStreamingMessage', { message: message('Returns?', { contextId: 's1' }) });
    expect(Object.keys(replies[0] ?? {})).toEqual(['task']);
    expect(replies.at(-1)).toMatchObject({ statusUpdate: { status: { state: 'TASK_STATE_COMPLETED' } } });
    const updates = replies.slice(1, -1).map(({ artifactUpdate }) => artifactUpdate);
    const texts = [...(replies[0]?.task.artifacts ?? []), ...updates.map(({ artifact }) => artifact)].flatMap(
      ({ parts }) => parts.flatMap(({ text = '' }: Json) => text),
    );
    expect(texts.join('')).toBe('Within 30 days, 退货免费 [1].');
    expect(edge.seen.questions.at(-1)).toMatchObject({ sessionId: 's1', createSession: false });
  });

  test('a task that runs is stopped once, and its answer with it', async () => {
    const { left } = waiting('s2', `cancel-${name.replace('+', '-')}`);
    const { replies } = await call('SendMessage', {
      message: message('Returns?'),
      configuration: { returnImmediately: true },
    });
    const { id } = replies[0]?.task ?? {};
    expect(replies[0]?.task.status.state).toBe('TASK_STATE_WORKING');
    const stopped = await call('CancelTask', { id });
    expect(stopped.replies[0]).toMatchObject({ id, status: { state: 'TASK_STATE_CANCELED' } });
    await left;
    expect((await call('CancelTask', { id })).reason).toBe('TASK_NOT_CANCELABLE');
    expect((await call('SubscribeToTask', { id })).reason).toBe('UNSUPPORTED_OPERATION');
  });

  test('who follows a running task gets what there is, and the rest', async () => {
    const { goOn } = waiting('s3', `follow-${name.replace('+', '-')}`);
    const { replies } = await call('SendMessage', {
      message: message('Returns?'),
      configuration: { returnImmediately: true },
    });
    const following = call('SubscribeToTask', { id: replies[0]?.task.id });
    await vi.waitFor(async () => {
      const [task] = (await call('GetTask', { id: replies[0]?.task.id })).replies;
      expect(task?.artifacts[0].parts[0].text).toBe('Within ');
    });
    goOn();
    const events = (await following).replies;
    const texts = [events[0]?.task, ...events.map(({ artifactUpdate }) => artifactUpdate)].flatMap((part: Json) => [
      ...(part?.artifacts?.[0].parts ?? part?.artifact?.parts ?? []),
    ]);
    expect(texts.map(({ text = '' }: Json) => text).join('')).toBe('Within 30 days.');
    expect(events.at(-1)).toMatchObject({ statusUpdate: { status: { state: 'TASK_STATE_COMPLETED' } } });
  });

  test.each<[string, string, Json]>([
    ['TASK_NOT_FOUND', 'GetTask', { id: 'no.task' }],
    ['TASK_NOT_FOUND', 'CancelTask', { id: 'nonsense' }],
    ['TASK_NOT_FOUND', 'SendMessage', { message: message('x', { taskId: 'no.task' }) }],
    [
      'CONTENT_TYPE_NOT_SUPPORTED',
      'SendMessage',
      { message: { ...message(''), parts: [{ url: 'https://x.example' }] } },
    ],
    [
      'CONTENT_TYPE_NOT_SUPPORTED',
      'SendMessage',
      { message: message('x'), configuration: { acceptedOutputModes: ['image/png'] } },
    ],
    [
      'PUSH_NOTIFICATION_NOT_SUPPORTED',
      'SendMessage',
      { message: message('x'), configuration: { taskPushNotificationConfig: { url: 'https://x.example' } } },
    ],
  ])('%s is the error of %s', async (reason, method, params) => {
    expect((await call(method, params)).reason).toBe(reason);
  });
});

test('a reset replaces the text, and a slow reader gets the last text only', async () => {
  answer = async function* () {
    yield { case: 'started', value: { answerId: 'reset', sessionId: 's4', standaloneQuestion: '' } };
    yield { case: 'textDelta', value: { text: 'wrong' } };
    yield { case: 'reset', value: { reason: 'failover' } };
    yield { case: 'textDelta', value: { text: 'right' } };
    yield { case: 'done', value: { outcome: AnswerOutcome.ANSWERED, answerId: 'reset', sessionId: 's4' } };
  };
  const replies = await rpc('SendStreamingMessage', { message: message('x') });
  let text = '';
  for (const { result } of replies) {
    const parts = result.task?.artifacts?.[0].parts ?? result.artifactUpdate?.artifact.parts ?? [];
    const more = parts.map((part: Json) => part.text ?? '').join('');
    text = result.artifactUpdate?.append === true || result.statusUpdate ? text + more : more;
  }
  expect(text).toBe('right');
});

test('an answer that fails is a failed task with its reason, and a bug says nothing else', async () => {
  answer = async function* () {
    yield { case: 'started', value: { answerId: 'fail', sessionId: 's5', standaloneQuestion: '' } };
    throw new Error('password=hunter2');
  };
  const [reply] = await rpc('SendMessage', { message: message('x') });
  expect(reply?.result.task.status).toMatchObject({
    state: 'TASK_STATE_FAILED',
    message: { parts: [{ text: 'internal error' }] },
  });
});

test('a task is its user’s alone', async () => {
  await rpc('SendMessage', { message: message('Returns?') });
  for (const other of [await tokenOf('bob'), await tokenOf('ann', 'other')]) {
    const [got] = await rpc('GetTask', { id: 's1.a1' }, other);
    expect(got?.error).toMatchObject({ code: -32001 });
    const [listed] = await rpc('ListTasks', { contextId: 's1' }, other);
    expect(listed?.result.tasks).toEqual([]);
    expect((await rpc('CancelTask', { id: 's1.a1' }, other))[0]?.error.code).toBe(-32001);
  }
});

test('the tenant is that of the credentials, whatever a request says', async () => {
  const [named] = await rpc('SendMessage', { tenant: 'other', message: message('x') });
  expect(named?.error.message).toContain('tenant of your credentials');
  const { status } = await rest('POST', 'other/message:send', { message: message('x') });
  expect(status).toBe(403);
  expect((await rest('POST', 'demo/message:send', { message: message('x') })).status).toBe(200);
});

test('without credentials the status is 401 in the shape of each binding', async () => {
  const none = { authorization: '' };
  const response = await fetch(`${edge.url}/a2a`, { method: 'POST', headers: none, body: '{}' });
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toContain('Bearer');
  expect(((await response.json()) as Json).error.data[0].reason).toBe('CREDENTIALS_MISSING');
  const { status, replies } = await rest('GET', 'tasks', undefined, none);
  expect(status).toBe(401);
  expect(replies[0]?.error).toMatchObject({ code: 401, status: 'UNAUTHENTICATED' });
});

test('another version, method or path is refused with what is served', async () => {
  const [version] = await rpc('GetTask', { id: 'a.b' }, { ...key, 'a2a-version': '0.3' } as never);
  expect(version?.error).toMatchObject({ code: -32009, data: [{}, { metadata: { supported: '1.0' } }] });
  const [method] = await rpc('message/send', {});
  expect(method?.error).toMatchObject({ code: -32601, message: expect.stringContaining('SendMessage') });
  expect((await rest('GET', 'nothing')).status).toBe(404);
  const [wrong] = await rpc('SendMessage', { message: { ...message('x'), messageId: '' } });
  expect(wrong?.error).toMatchObject({ code: -32602, message: expect.stringContaining('message_id') });
});

test.each([
  ['/.well-known/agent.json', '/.well-known/agent-card.json'],
  ['/v1/message:send', '/a2a'],
  ['/tasks/x', '/a2a'],
  ['/messages', '/v1/messages'],
  ['/v1/mcp', '/mcp'],
])('%s is answered with the right path', async (path, right) => {
  const response = await fetch(`${edge.url}${path}`, { method: 'POST', body: '{}', headers: key });
  expect(response.status).toBe(404);
  expect(await response.text()).toContain(right);
});
