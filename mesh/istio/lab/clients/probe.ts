import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { createRegistry, type DescMethod, fromJson, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { file_ragmesh_audit_v1_audit } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { file_ragmesh_embedding_v1_embedding } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { file_ragmesh_rerank_v1_rerank } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { file_ragmesh_retrieval_v1_retrieval } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { createGrpcTransport } from '#kit/rpc/grpc/client.ts';
import { type HeldCalls, holdCalls } from './held-calls.ts';
import { createWireClient, type Reply } from './wire.ts';

// A process on the host of a pod, which calls what it is asked to call: its connections pass through the pod's sidecar as those of the service do.
// A line on standard input is a command, a line on standard output its result.

/** Calls of rpcs with empty messages, one after the other. */
export interface CallsCommand {
  readonly kind: 'calls';
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly paths: readonly string[];
}

/** Many calls of one rpc, as a service of the mesh makes them: the mesh retries, not the client. */
export interface LoadCommand {
  readonly kind: 'load';
  readonly address: string;
  readonly path: string;
  readonly message: JsonValue;
  readonly headers: Readonly<Record<string, string>>;
  readonly count: number;
  readonly concurrency: number;
  /** Wait after each call of a caller, in milliseconds. */
  readonly gapMs: number;
}

/** Calls of one rpc whose messages have a number in a field. Resolves with the numbers of those that succeeded. */
export interface NumberedCommand extends Omit<LoadCommand, 'kind' | 'gapMs'> {
  readonly kind: 'numbered';
  readonly key: string;
}

/** One call; resolves with its messages as JSON. */
export interface CollectCommand extends Pick<LoadCommand, 'address' | 'path' | 'message' | 'headers'> {
  readonly kind: 'collect';
}

/** A request over HTTP/1.1, as services call providers. With `https:`, any certificate is accepted: the question is how far the call comes. */
export interface GetCommand {
  readonly kind: 'get';
  readonly url: string;
}

/** Calls of an rpc that takes a stream, which stay open until they are released. Resolves once `endedCount` of them have ended. */
export interface HoldCommand {
  readonly kind: 'hold';
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly count: number;
  readonly endedCount: number;
}

/** Ends the streams of the held calls. */
export interface ReleaseCommand {
  readonly kind: 'release';
}

/** TCP connections, without a byte on them. */
export interface ConnectCommand {
  readonly kind: 'connect';
  readonly targets: readonly { readonly address: string; readonly port: number }[];
}

export type Command =
  | CallsCommand
  | LoadCommand
  | NumberedCommand
  | CollectCommand
  | GetCommand
  | HoldCommand
  | ReleaseCommand
  | ConnectCommand;

/** What became of a connection: accepted, refused by a host, or without an answer. */
export type Reach = 'open' | 'refused' | 'silent';

/** Ends of the calls of a load by their code: "OK", "Unavailable". */
export type Ends = Readonly<Record<string, number>>;

/** The answer to a request over HTTP; status 0: the connection was closed. */
export interface Page {
  readonly status: number;
  readonly body: string;
}

const registry = createRegistry(
  file_ragmesh_audit_v1_audit,
  file_ragmesh_embedding_v1_embedding,
  file_ragmesh_rerank_v1_rerank,
  file_ragmesh_retrieval_v1_retrieval,
);

let held: HeldCalls | undefined;

async function run(command: Command): Promise<readonly unknown[] | Ends | Page> {
  switch (command.kind) {
    case 'calls':
      return await runCalls(command);
    case 'load':
      return await runLoad(command);
    case 'numbered':
      return await runNumbered(command);
    case 'collect':
      return await collect(command);
    case 'get':
      return await fetchPage(command.url);
    case 'hold':
      held = holdCalls(command.origin, command.path, command.headers, command.count);
      return await held.ended(command.endedCount);
    case 'release':
      return (await held?.release()) ?? [];
    case 'connect':
      return await Promise.all(command.targets.map(reach));
    default:
      return command satisfies never;
  }
}

async function runCalls({ origin, headers, paths }: CallsCommand): Promise<Reply[]> {
  const client = createWireClient(origin);
  const replies: Reply[] = [];
  for (const path of paths) replies.push(await client.call(path, headers));
  client.close();
  return replies;
}

async function runLoad({ address, path, message, headers, count, concurrency, gapMs }: LoadCommand): Promise<Ends> {
  const method = methodOf(path);
  const transport = createGrpcTransport({ address, methods: [method], retries: false });
  const ends: Record<string, number> = {};
  let started = 0;
  const caller = async () => {
    while (started < count) {
      started++;
      const end = await callOnce(transport, method, message, headers);
      ends[end] = (ends[end] ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, gapMs));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  transport.close();
  return ends;
}

async function runNumbered({
  address,
  path,
  message,
  headers,
  count,
  concurrency,
  key,
}: NumberedCommand): Promise<number[]> {
  const method = methodOf(path);
  const transport = createGrpcTransport({ address, methods: [method], retries: false });
  const done: number[] = [];
  let started = 0;
  const caller = async () => {
    for (let number = started++; number < count; number = started++) {
      const numbered = { ...(message as JsonObject), [key]: String(number) };
      if ((await callOnce(transport, method, numbered, headers)) === 'OK') done.push(number);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  transport.close();
  return done;
}

async function collect({ address, path, message, headers }: CollectCommand): Promise<JsonValue[]> {
  const method = methodOf(path);
  const transport = createGrpcTransport({ address, methods: [method], retries: false });
  const input = fromJson(method.input, message);
  const messages = (async function* () {
    yield input as never;
  })();
  const reply = await transport.stream(method as never, undefined, 60_000, headers, messages);
  const found: JsonValue[] = [];
  for await (const each of reply.message) found.push(toJson(method.output, each as never));
  transport.close();
  return found;
}

async function callOnce(
  transport: ReturnType<typeof createGrpcTransport>,
  method: DescMethod,
  message: JsonValue,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const input = fromJson(method.input, message);
  try {
    if (method.methodKind === 'unary') {
      await transport.unary(method as never, undefined, 60_000, headers, input as never);
    } else {
      const messages = (async function* () {
        yield input as never;
      })();
      const reply = await transport.stream(method as never, undefined, 60_000, headers, messages);
      for await (const _ of reply.message);
    }
    return 'OK';
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return `${Code[code]}: ${rawMessage}`.slice(0, 120);
  }
}

function methodOf(path: string): DescMethod {
  const [, service = '', name = ''] = path.split('/');
  const method = registry.getService(service)?.methods.find((each) => each.name === name);
  if (method === undefined) throw new Error(`the probe does not know ${path}: add its file to the registry`);
  return method;
}

/** Time after which a connection has no answer, in milliseconds. Hosts of the lab answer within one. */
const connectTimeoutMs = 2000;

function reach({ address, port }: ConnectCommand['targets'][number]): Promise<Reach> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: connectTimeoutMs });
    const end = (result: Reach) => {
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', () => end('open'));
    socket.on('timeout', () => end('silent'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'));
  });
}

function fetchPage(url: string): Promise<Page> {
  return new Promise((resolve) => {
    const receive = (response: IncomingMessage) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body = (body + text).slice(0, 10_000);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    };
    const isSecure = url.startsWith('https:');
    const request = isSecure ? getHttps(url, { rejectUnauthorized: false }, receive) : getHttp(url, receive);
    request.setTimeout(30_000, () => request.destroy());
    request.on('error', (error) => resolve({ status: 0, body: error.message }));
  });
}

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, command } = JSON.parse(line) as { id: number; command: Command };
    const report = (part: object) => process.stdout.write(`${JSON.stringify({ id, ...part })}\n`);
    run(command).then(
      (result) => report({ result }),
      (error) => report({ failure: String(error) }),
    );
  }
}
