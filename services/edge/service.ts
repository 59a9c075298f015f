import { isDeepStrictEqual } from 'node:util';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '#gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { Health } from '#gen/health/v1/health_pb.ts';
import { A2AService } from '#gen/lf/a2a/v1/a2a_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { rpcError, tooLarge } from '#kit/base/errors.ts';
import type { RunningService } from '#kit/host/define-service.ts';
import { createHealth } from '#kit/host/health.ts';
import { createReflection } from '#kit/host/reflection.ts';
import { setOwner } from '#kit/http/server/body.ts';
import { type NodeRequest, openPort } from '#kit/http/server/port.ts';
import { mountConnect } from '#kit/rpc/connect/mount.ts';
import { prefixLength } from '#kit/rpc/connect/wire.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { createInvocables, type Interceptor, type Invocable } from '#kit/rpc/invoke.ts';
import { requestBoundsOf } from '#kit/rpc/policy.ts';
import { createA2aFace } from './a2a/face.ts';
import type { Admission, Admit } from './admission/admission.ts';
import { admitCall } from './admission/admit-call.ts';
import { type EdgeDeps, openEntrance } from './admission/entrance.ts';
import { createCountTokens, createMessages } from './anthropic/messages.ts';
import type { EdgeSettings } from './config.ts';
import { createConsoleAssets } from './console/assets.ts';
import type { DevKeys } from './credentials/dev-keys.ts';
import type { ManagedKeysDeps } from './credentials/managed-keys.ts';
import { type AccessLog, createAccessLog } from './http/access-log.ts';
import { createCors } from './http/cors.ts';
import { errorHeaders } from './http/error.ts';
import type { JsonRouteDeps } from './http/json-route.ts';
import { type EdgeLimits, edgeLimits } from './http/limits.ts';
import { createRequestHandler } from './http/routes.ts';
import { createResourceMetadata } from './mcp/oauth.ts';
import { createMcpRoute, type McpSettings } from './mcp/route.ts';
import { createEdgeMetrics } from './metrics.ts';
import { createCompletions } from './openai/completions.ts';
import { createIds, type OpenAiDeps } from './openai/deps.ts';
import { createModels } from './openai/models.ts';
import { createResponses } from './openai/responses/responses.ts';
import { createTextCompletions } from './openai/text-completions.ts';
import { createEmbeddings } from './openai/vectors/embeddings.ts';
import { createRerank } from './openai/vectors/rerank.ts';
import { withRepeats } from './repeat/with-repeats.ts';
import { createCaller } from './rpc/caller.ts';
import { createCallers } from './rpc/callers.ts';
import { admissionOf, proxyMethods } from './rpc/proxy.ts';
import { createChatStream } from './sse/chat-stream.ts';

/** A running edge. */
export interface RunningEdge extends RunningService<readonly []> {
  /** Port that it listens on. */
  port: number;
  /** Keys for trying it out; `undefined`: credentials are configured. */
  devKeys: DevKeys | undefined;
  /** Connections that are open. */
  connectionCount(): number;
}

/** What may be put in another's place in tests. */
export interface EdgeOptions {
  limits?: Partial<EdgeLimits>;
  /** Folder of the built console. */
  consoleFolder?: URL;
  /** Times between requests to the service of keys. */
  managed?: Pick<ManagedKeysDeps, 'syncMs' | 'reportMs'>;
}

/** Starts the edge. Throws ConfigError if the process has no private key to sign the tokens of its callers. */
export async function createEdge(deps: EdgeDeps, options: EdgeOptions = {}): Promise<RunningEdge> {
  const { config, optionalClients, clock, log } = deps;
  const limits = { ...edgeLimits, ...options.limits };
  const entrance = await openEntrance(deps, options.managed);
  const { gate, running, devKeys } = entrance;
  let { accessLogRatio, filteredIsError, traceUrl } = config;
  let oauth = mcpSettings(config);
  const newId = createIds(clock, deps.random);
  const accessLog = createAccessLog({ log, random: deps.random, ratio: () => accessLogRatio });
  const llm = optionalClients.llm();
  const chat = withRepeats(optionalClients.chat(), clock);
  const published = deps.published.map(({ contract, client }) =>
    contract === ChatService ? { contract, client: { ...client, ask: chat.ask } } : { contract, client },
  );
  const a2a = createA2aFace({ chat, running, clock, log });
  const draining = new AbortController();
  const boundsOf = (method: DescMethod) => requestBoundsOf(method, limits.maxMessageBytes);
  const admissions = new WeakMap<CallContext, Admission>();
  const rpc = mountConnect({
    methods: [
      ...published.flatMap(({ contract, client }) => proxyMethods(contract, client, { limits, running, admissions })),
      ...a2a.methods((context) => admissionOf(context, admissions)),
      ...ownMethods(published, () => traceUrl, draining.signal),
    ],
    limits,
    boundsOf,
    log,
    async gate(call, request) {
      call.onEnd((error) => accessLog.ended(request, error));
      try {
        refuseTooLarge(call.method, request, boundsOf(call.method).maxBytes);
        const admission = await admitCall(call, request, gate);
        if (admission === undefined) return;
        admissions.set(call, admission);
        noteAdmitted(accessLog, request, admission);
      } catch (error) {
        if (error instanceof ConnectError) {
          for (const [name, value] of Object.entries(errorHeaders(error))) call.responseHeader.set(name, value);
        }
        throw error;
      }
    },
  });
  const admit: Admit = async (request, signal) => {
    const admission = await gate.admit(request, signal);
    noteAdmitted(accessLog, request, admission);
    return admission;
  };
  const routeDeps: JsonRouteDeps = { admit, running, limits, log, clock, ended: accessLog.ended };
  const openAiDeps: OpenAiDeps = { ...routeDeps, newId, filteredIsError: () => filteredIsError };
  let cors = createCors(config.corsOrigins);
  const metrics = createEdgeMetrics(deps.metrics.registry, () => port.connectionCount());
  const port = await openPort({
    name: 'edge',
    setting: 'edge.port',
    host: config.host,
    port: config.port,
    limits,
    handle: createRequestHandler({
      rpc,
      cors: (request, response) => cors(request, response),
      assets: createConsoleAssets(options.consoleFolder),
      chatStream: createChatStream(chat, routeDeps),
      completions: createCompletions({ chat, llm }, openAiDeps),
      textCompletions: createTextCompletions({ chat, llm }, openAiDeps),
      responses: createResponses({ chat, llm }, openAiDeps),
      messages: createMessages({ chat, llm }, openAiDeps),
      countTokens: createCountTokens(openAiDeps),
      models: createModels(llm, optionalClients.embedding(), openAiDeps),
      embeddings: createEmbeddings(optionalClients.embedding(), openAiDeps),
      rerank: createRerank(optionalClients.rerank(), openAiDeps),
      mcp: createMcpRoute(
        { chat, retrieval: optionalClients.retrieval(), indexer: optionalClients.indexer() },
        routeDeps,
        () => oauth,
      ),
      resourceMetadata: createResourceMetadata(() => oauth),
      a2a: a2a.routes(routeDeps, () => oauth),
      devKeys: gate.devKeys,
      ended: metrics.request,
      accessLog,
      newId,
      limits,
      log,
    }),
  });
  return {
    impl: {},
    readiness: [entrance.readiness],
    callers: createCallers(deps, entrance, limits),
    port: port.port,
    devKeys,
    connectionCount: port.connectionCount,
    async reconfigure(next: EdgeSettings) {
      entrance.reconfigure(next);
      cors = createCors(next.corsOrigins);
      ({ accessLogRatio, filteredIsError, traceUrl } = next);
      oauth = mcpSettings(next);
      const settings = settingsToRestartFor(next, config, devKeys);
      if (settings.length > 0) {
        log.warn({ event: 'config_needs_restart', settings }, 'changed settings need a restart');
      }
    },
    async drain(signal) {
      // Watches of health never end by themselves.
      draining.abort(rpcError(Code.Unavailable, ErrorReason.NOT_SERVING, 'the edge is shutting down'));
      await Promise.all([port.drain(signal), a2a.drain(signal)]);
    },
    async close() {
      draining.abort();
      await a2a.close();
      await port.close();
      await entrance.close();
    },
  };
}

function noteAdmitted(accessLog: AccessLog, request: NodeRequest, admission: Admission): void {
  setOwner(request, admission.principal.tenant);
  accessLog.admitted(request, admission);
}

function mcpSettings({ publicUrl, corsOrigins, jwt }: EdgeSettings): McpSettings {
  return { publicUrl, corsOrigins, issuer: jwt?.issuer };
}

/** Settings that a running edge cannot change. */
const restartSettings: (keyof EdgeSettings)[] = ['host', 'port', 'limiter'];

/** Returns the names of changed settings that a running edge cannot take. */
function settingsToRestartFor(next: EdgeSettings, current: EdgeSettings, devKeys: DevKeys | undefined): string[] {
  const changed = restartSettings.filter((name) => !isDeepStrictEqual(next[name], current[name]));
  const names = changed.map((name) => `edge.${name}`);
  return next.usesDevKeys && devKeys === undefined ? [...names, 'edge.api_keys'] : names;
}

// The declared length of a request is enough when the request is one message. All else is counted while it is read.
function refuseTooLarge({ methodKind }: DescMethod, { headers }: NodeRequest, maxBytes: number): void {
  const isOneMessage = methodKind === 'unary' || methodKind === 'server_streaming';
  if (isOneMessage && Number(headers['content-length'] ?? 0) > maxBytes + prefixLength) {
    throw tooLarge('the message', maxBytes);
  }
}

// Health and reflection, over what the edge serves, and who the caller is.
function ownMethods(
  published: readonly { contract: DescService }[],
  traceUrl: () => string,
  draining: AbortSignal,
): Invocable[] {
  const notReady = () => (draining.aborted ? 'draining' : undefined);
  const served = [...published.map(({ contract }) => contract), CallerService, A2AService];
  const health = createHealth(new Map(served.map(({ typeName }) => [typeName, notReady])));
  const reflection = createReflection([...served, Health]);
  const interceptors = [endingWith(draining)];
  return [
    ...createInvocables(Health, health, interceptors),
    ...createInvocables(CallerService, createCaller(traceUrl), interceptors),
    ...createInvocables(ServerReflection, reflection.v1, interceptors),
    ...createInvocables(ServerReflectionAlpha, reflection.v1alpha, interceptors),
  ];
}

/** Aborts calls when `signal` aborts, for its reason. */
function endingWith(signal: AbortSignal): Interceptor {
  return (next) => (call) => {
    const onAbort = () => call.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    call.onEnd(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
    return next(call);
  };
}
