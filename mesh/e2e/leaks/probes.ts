import { createHash } from 'node:crypto';
import {
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromJson,
  type JsonValue,
  toJsonString,
} from '@bufbuild/protobuf';
import { type CallOptions, Code, ConnectError, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import fc from 'fast-check';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { KnowledgeHealthService } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { createGrpcTransport as createOwnGrpcTransport } from '#kit/rpc/grpc/client.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// Random principals, queries and rpcs over every face of a mesh whose documents have a mark in title and text: a reply with the mark of a
// document that its caller may not see is a leak, wherever in the reply it is.

const tenants = ['north', 'south', 'North', 'east.1'];
const groups = ['staff', 'board', 'legal'];
const topics = ['refund 退款', 'warranty 保修', 'invoice 发票', 'shipping 配送', 'PPR-9087 E-07'];
const accessLists: readonly (readonly string[])[] = [[], ['staff'], ['board'], ['staff', 'legal']];
const corpus = 'rules';
const groupSets = Array.from({ length: 8 }, (_, bits) => groups.filter((_group, index) => (bits & (1 << index)) !== 0));

const idOf = (tenant: string, access: readonly string[], topic: number) =>
  `${tenant}/${access.join('+') || 'all'}/${topic}`;
/** A word that is in one document alone, and in no request. */
const markOf = (id: string) => `zq${createHash('sha256').update(id).digest('hex').slice(0, 12)}`;

interface Marked {
  tenant: string;
  access: readonly string[];
}
const documents = tenants.flatMap((tenant) =>
  accessLists.flatMap((access) => topics.map((_, topic) => ({ tenant, access, id: idOf(tenant, access, topic) }))),
);
const byMark = new Map<string, Marked>(documents.map((document) => [markOf(document.id), document]));

function maySee({ tenant, groups: own }: Caller, document: Marked): boolean {
  return (
    document.tenant === tenant && (document.access.length === 0 || document.access.some((group) => own.includes(group)))
  );
}

interface Caller {
  tenant: string;
  user: string;
  groups: readonly string[];
  key: string;
  principal: Principal;
}
const roles = [Role.READER, Role.EDITOR, Role.OPERATOR, Role.AUDITOR];
const callers: readonly Caller[] = tenants.flatMap((tenant) =>
  ['ann', 'bob'].flatMap((user) =>
    groupSets.map((own) => {
      const principal = testPrincipal({ tenant, user, groups: own, roles });
      return {
        tenant,
        user,
        groups: own,
        key: `key ${tenant} ${user} ${own.join('+')}`.replaceAll(/[ +]/g, '_'),
        principal,
      };
    }),
  ),
);

/** A mesh whose documents are marked. */
export interface MarkedMesh extends AsyncDisposable {
  mesh: WholeMesh;
  /** Ids of all chunks. */
  chunkIds: readonly string[];
}

/** Starts the mesh, and indexes the documents of each tenant. */
export async function startMarkedMesh(): Promise<MarkedMesh> {
  const apiKeys = callers.map(({ key, tenant, user, groups: own }, index) => ({
    ...{ id: `k${index}`, tenant, user, groups: [...own], roles },
    sha256: createHash('sha256').update(key).digest('hex'),
  }));
  const mesh = await startWholeMesh({ sample: false, config: { edge: { apiKeys } } });
  const chunkIds: string[] = [];
  for (const tenant of tenants) {
    const options = await mesh.as(testPrincipal({ tenant, groups, roles }));
    const lines = documents
      .filter((document) => document.tenant === tenant)
      .map(({ id, access }) => {
        const topic = topics[Number(id.split('/')[2])];
        const text = `${topic} for ${access.join(' and ') || 'everyone'}. The limit is 100 yuan, says ${markOf(id)}. 上限是 100 元。`;
        return JSON.stringify({ id, title: `${topic} ${markOf(id)}`, text, groups: access });
      });
    const { jobId } = await mesh.client(IndexerService).ingestDocuments(upload(Buffer.from(lines.join('\n'))), options);
    for await (const { job } of mesh.client(IndexerService).watchJob({ jobId }, options)) {
      if (job?.state === JobState.FAILED) throw new Error(job.error);
    }
    for (const topic of topics) {
      for await (const { event } of mesh.client(RetrievalService).retrieve({ query: topic, topK: 50 }, options)) {
        if (event.case === 'fused') chunkIds.push(...event.value.passages.map(({ chunkId }) => chunkId));
      }
    }
  }
  return { mesh, chunkIds: [...new Set(chunkIds)], [Symbol.asyncDispose]: () => mesh.close() };
}

async function* upload(data: Uint8Array) {
  yield { part: { case: 'start' as const, value: { corpus } } };
  yield { part: { case: 'file' as const, value: { path: 'rules.jsonl' } } };
  yield { part: { case: 'data' as const, value: data } };
}

type Method = DescMethodUnary | DescMethodServerStreaming;
interface Call {
  method: Method;
  request: JsonValue;
}
type JsonRoute = 'sse' | 'openai' | 'anthropic' | 'a2a';
const faces = [
  'local',
  'grpc',
  'connect',
  'connect, binary',
  'grpc over http',
  'grpc-web',
  'sse',
  'openai',
  'anthropic',
  'a2a',
] as const;
type Face = (typeof faces)[number];

interface Probe {
  caller: Caller;
  face: Face;
  call: Call;
  question: string;
}

function probesOf(chunkIds: readonly string[]): fc.Arbitrary<Probe> {
  const word = fc.oneof(
    fc.constantFrom(...topics, ...tenants, ...groups, 'limit', '上限', '"*" OR', '', 'yuan', 'zq'),
    fc.string({ maxLength: 6 }),
  );
  const query = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(' ').trim() || 'refund');
  const document = fc.constantFrom(...documents.map(({ id }) => id));
  const chunks = fc.array(fc.constantFrom(...chunkIds), { minLength: 1, maxLength: 8 });
  const filter = fc.option(
    fc.array(document, { minLength: 1, maxLength: 4 }).map((documentIds) => ({ documentIds })),
    { nil: undefined },
  );
  const topK = fc.integer({ min: 1, max: 50 });
  const methods = { ...RetrievalService.method, ...IndexerService.method };
  const call: fc.Arbitrary<Call> = fc.oneof(
    fc
      .record({ query, topK, filter })
      .map(({ filter: narrow, ...rest }) => toCall(methods.retrieve, { ...rest, ...(narrow && { filter: narrow }) })),
    fc.record({ question: query, topK }).map((request) => toCall(ChatService.method.ask, request)),
    fc
      .record({ query, documentId: document })
      .map(({ query: asked, documentId }) => toCall(methods.explain, { search: { query: asked }, corpus, documentId })),
    chunks.map((ids) => toCall(methods.getPassages, { chunkIds: ids })),
    fc.constant(toCall(methods.listCorpora, {})),
    fc.constant(toCall(methods.listDocuments, { corpus })),
    document.map((documentId) => toCall(methods.getDocument, { corpus, documentId })),
    document.map((documentId) => toCall(OverlayService.method.listChunks, { corpus, documentId })),
    fc.constant(toCall(OverlayService.method.listOverlays, { corpus })),
    fc.constant(toCall(KnowledgeHealthService.method.listHealthFindings, { corpus })),
    fc.constant(toCall(IndexAdminService.method.listVersions, { corpus })),
    fc.constant(toCall(methods.listJobs, {})),
    fc.constant(toCall(ChatService.method.listSessions, {})),
  );
  return fc.record({ caller: fc.constantFrom(...callers), face: fc.constantFrom(...faces), call, question: query });
}

const toCall = (method: Method, request: object): Call => ({ method, request: request as JsonValue });

/** What the probes found. */
export interface LeakReport {
  probeCount: number;
  /** Probes whose reply had a document that the caller may see: others prove little. */
  seenCount: number;
  leaks: string[];
  /** Errors other than those that say that something is absent, refused or wrong. */
  failures: string[];
}

const expectedCodes: ReadonlySet<Code> = new Set([Code.NotFound, Code.PermissionDenied, Code.InvalidArgument]);

/** Sends `count` probes, several concurrently, and looks for marks in each reply. */
export async function probe(
  { mesh, chunkIds }: MarkedMesh,
  count: number,
  seed: number,
  progress: (report: LeakReport) => void = () => {},
) {
  const report: LeakReport = { probeCount: 0, seenCount: 0, leaks: [], failures: [] };
  const base = { baseUrl: mesh.edgeUrl, httpVersion: '2' } as const;
  const edge: Partial<Record<Face, Transport>> = {
    connect: createConnectTransport({ ...base, useBinaryFormat: false }),
    'connect, binary': createConnectTransport(base),
    'grpc over http': createGrpcTransport(base),
    'grpc-web': createGrpcWebTransport(base),
  };
  const allMethods = [
    RetrievalService,
    IndexerService,
    ChatService,
    OverlayService,
    KnowledgeHealthService,
    IndexAdminService,
  ].flatMap(({ methods }) => methods);
  const grpc = createOwnGrpcTransport({ address: `127.0.0.1:${mesh.host.grpcPort}`, methods: allMethods });
  const replyTo = async ({ caller, face, call, question }: Probe): Promise<string> => {
    if (isJsonRoute(face)) return askByJson(mesh.edgeUrl, face, caller.key, question);
    const outside = edge[face];
    if (outside !== undefined) return callBy(outside, call, { headers: { authorization: `Bearer ${caller.key}` } });
    return callBy(face === 'grpc' ? grpc : mesh.host.local, call, await mesh.as(caller.principal));
  };
  const one = async (next: Probe) => {
    const { caller, face, call } = next;
    const name = `${face} ${call.method.name} of ${caller.key}: ${JSON.stringify(call.request)} / ${next.question}`;
    let reply = '';
    try {
      reply = await replyTo(next);
    } catch (error) {
      const { code, message } = ConnectError.from(error);
      reply = message;
      if (!expectedCodes.has(code)) report.failures.push(`${name}: ${Code[code]} ${message.slice(0, 200)}`);
    }
    const marks = new Set(reply.match(/zq[0-9a-f]{12}/g) ?? []);
    report.probeCount++;
    let isSeen = false;
    for (const mark of marks) {
      const document = byMark.get(mark);
      if (document === undefined) continue;
      if (maySee(caller, document)) isSeen = true;
      else report.leaks.push(`${name}: ${JSON.stringify(document)}`);
    }
    if (isSeen) report.seenCount++;
  };
  try {
    const probes = probesOf(chunkIds);
    for (let batch = 0; report.probeCount < count; batch++) {
      const queue = fc.sample(probes, { numRuns: Math.min(500, count - report.probeCount), seed: seed + batch });
      const lane = async () => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) await one(next);
      };
      await Promise.all(Array.from({ length: 8 }, lane));
      progress(report);
    }
    return report;
  } finally {
    grpc.close();
  }
}

async function callBy(transport: Transport, { method, request }: Call, options: CallOptions): Promise<string> {
  const message = fromJson(method.input, request);
  if (method.methodKind === 'unary') {
    const { message: reply } = await transport.unary(
      method,
      options.signal,
      options.timeoutMs,
      options.headers,
      message,
      options.contextValues,
    );
    return toJsonString(method.output, reply);
  }
  const input = (async function* () {
    yield message;
  })();
  const { message: replies } = await transport.stream(
    method,
    options.signal,
    options.timeoutMs,
    options.headers,
    input,
    options.contextValues,
  );
  let text = '';
  for await (const reply of replies) text += toJsonString(method.output, reply);
  return text;
}

function isJsonRoute(face: Face): face is JsonRoute {
  return ['sse', 'openai', 'anthropic', 'a2a'].includes(face);
}

async function askByJson(url: string, face: JsonRoute, key: string, question: string): Promise<string> {
  const messages = [{ role: 'user', content: question }];
  const message = { messageId: 'm', role: 'ROLE_USER', parts: [{ text: question }] };
  const { path, body } = {
    sse: { path: '/v1/chat/stream', body: { query: question } },
    openai: { path: '/v1/chat/completions', body: { model: 'ragmesh', messages } },
    anthropic: { path: '/v1/messages', body: { model: 'ragmesh', messages, max_tokens: 500 } },
    a2a: { path: '/a2a', body: { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } } },
  }[face];
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (response.status >= 500 || /^event: error/m.test(text)) throw new Error(`${response.status} ${text}`);
  return text;
}
