import { isDeepStrictEqual } from 'node:util';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '#gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { Health } from '#gen/health/v1/health_pb.ts';
import { A2AService } from '#gen/lf/a2a/v1/a2a_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Exposure } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { rpcError, tooLarge } from '#kit/base/errors.ts';
import type { RunningService, ServiceDeps } from '#kit/host/define-service.ts';
import { createHealth } from '#kit/host/health.ts';
import { createReflection } from '#kit/host/reflection.ts';
import { type NodeRequest, openPort } from '#kit/http/server/port.ts';
import { mountConnect } from '#kit/rpc/connect/mount.ts';
import { prefixLength } from '#kit/rpc/connect/wire.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { TokenSigner } from '#kit/rpc/identity.ts';
import { requireRole } from '#kit/rpc/interceptors/identity.ts';
import { createInvocables, type Interceptor, type Invocable } from '#kit/rpc/invoke.ts';
import { isPublic, policyOf, requestBoundsOf } from '#kit/rpc/policy.ts';
import type { ServerCall } from '#kit/rpc/server-call.ts';
import { createA2aFace } from './a2a/face.ts';
import type { Admission, Admit, Gate } from './admission/admission.ts';
import type { EdgeState } from './admission/edge-state.ts';
import { joinEnds } from './admission/join-ends.ts';
import { createLiveGate } from './admission/live-gate.ts';
import { requireEdgeRole } from './admission/model-access.ts';
import { createRunningCalls } from './admission/running-calls.ts';
import { createCountTokens, createMessages } from './anthropic/messages.ts';
import type { EdgeSettings } from './config.ts';
import { createConsoleAssets } from './console/assets.ts';
import { type DevKeys, readOrMakeDevKeys } from './credentials/dev-keys.ts';
import { type ManagedKeysDeps, openManagedKeys } from './credentials/managed-keys.ts';
import { createAccessLog } from './http/access-log.ts';
import { createCors } from './http/cors.ts';
import { errorHeaders } from './http/error.ts';
import type { JsonRouteDeps } from './http/json-route.ts';
import { type EdgeLimits, edgeLimits } from './http/limits.ts';
import { createRequestHandler } from './http/routes.ts';
import { createResourceMetadata } from './mcp/oauth.ts';
import { createMcpRoute, type McpSettings } from './mcp/route.ts';
import { createEdgeMetrics } from './metrics.ts';
import type { edgeNeeds } from './needs.ts';
import { createCompletions } from './openai/completions.ts';
import { createIds, type OpenAiDeps } from './openai/deps.ts';
import { createModels } from './openai/models.ts';
import { createResponses } from './openai/responses/responses.ts';
import { createTextCompletions } from './openai/text-completions.ts';
import { createEmbeddings } from './openai/vectors/embeddings.ts';
import { createRerank } from './openai/vectors/rerank.ts';
import { caller } from './rpc/caller.ts';
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
export async function createEdge(
  deps: ServiceDeps<EdgeSettings, Record<string, never>, typeof edgeNeeds, EdgeState>,
  options: EdgeOptions = {},
): Promise<RunningEdge> {
  const { config, published, optionalClients, clock, log } = deps;
  const state = deps.isStateShared ? joinEnds(deps.state) : deps.state;
  const limits = { ...edgeLimits, ...options.limits };
  const signer = requireSigner(deps.signer);
  const devKeys = config.usesDevKeys ? readOrMakeDevKeys(deps.dataDir) : undefined;
  const accounts = optionalClients.accounts();
  const managed = await openManagedKeys({ accounts, signer, clock, log, ...options.managed });
  const gate = createLiveGate(config, { clock, log, devKeys, managed, limiter: state, signer });
  let { userMaxConcurrent, accessLogRatio, filteredIsError } = config;
  let oauth = mcpSettings(config);
  const newId = createIds(clock, deps.random);
  const accessLog = createAccessLog({ log, random: deps.random, ratio: () => accessLogRatio });
  const running = createRunningCalls(() => userMaxConcurrent, state);
  const llm = optionalClients.llm();
  const a2a = createA2aFace({ chat: optionalClients.chat(), running, clock, log });
  const draining = new AbortController();
  const boundsOf = (method: DescMethod) => requestBoundsOf(method, limits.maxMessageBytes);
  const admissions = new WeakMap<CallContext, Admission>();
  const rpc = mountConnect({
    methods: [
      ...published.flatMap(({ contract, client }) => proxyMethods(contract, client, { limits, running, admissions })),
      ...a2a.methods((context) => admissionOf(context, admissions)),
      ...ownMethods(published, draining.signal),
    ],
    limits,
    boundsOf,
    log,
    async gate(call, request) {
      call.onEnd((error) => accessLog.ended(request, error));
      try {
        const admission = await admitCall(call, request, gate, boundsOf(call.method).maxBytes);
        if (admission === undefined) return;
        admissions.set(call, admission);
        accessLog.admitted(request, admission);
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
    accessLog.admitted(request, admission);
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
      chatStream: createChatStream(optionalClients.chat(), routeDeps),
      completions: createCompletions({ chat: optionalClients.chat(), llm }, openAiDeps),
      textCompletions: createTextCompletions({ chat: optionalClients.chat(), llm }, openAiDeps),
      responses: createResponses({ chat: optionalClients.chat(), llm }, openAiDeps),
      messages: createMessages({ chat: optionalClients.chat(), llm }, openAiDeps),
      countTokens: createCountTokens(openAiDeps),
      models: createModels(llm, optionalClients.embedding(), openAiDeps),
      embeddings: createEmbeddings(optionalClients.embedding(), openAiDeps),
      rerank: createRerank(optionalClients.rerank(), openAiDeps),
      mcp: createMcpRoute(
        { chat: optionalClients.chat(), retrieval: optionalClients.retrieval(), indexer: optionalClients.indexer() },
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
    readiness: [managed.readiness],
    port: port.port,
    devKeys,
    connectionCount: port.connectionCount,
    async reconfigure(next: EdgeSettings) {
      gate.reconfigure(next);
      cors = createCors(next.corsOrigins);
      ({ userMaxConcurrent, accessLogRatio, filteredIsError } = next);
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
      await managed.close();
    },
  };
}

function requireSigner(signer: TokenSigner | undefined): TokenSigner {
  if (signer !== undefined) return signer;
  throw new ConfigError(
    'identity.private_key',
    'is missing: the edge makes the tokens by which services know its callers',
  );
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

/**
 * Admits a call by its headers alone: who calls, how often, in which role. Returns `undefined` for what is open to everybody.
 * Throws to refuse the call.
 */
async function admitCall(
  call: ServerCall,
  request: NodeRequest,
  gate: Gate,
  maxBytes: number,
): Promise<Admission | undefined> {
  const { method, signal } = call;
  refuseTooLarge(method, request, maxBytes);
  // Health and reflection have no policy: they are open to everybody, at a limited rate.
  if (policyOf(method).exposure === Exposure.UNSPECIFIED) {
    await gate.admitAnonymous(request, signal);
    return undefined;
  }
  const admission = await gate.admit(request, signal);
  const { principal, token } = admission;
  if (isPublic(method)) {
    requireRole(method, principal);
    requireEdgeRole(principal, method);
  }
  call.identify(principal, `Bearer ${token}`);
  return admission;
}

// The declared length of a request is enough when the request is one message. All else is counted while it is read.
function refuseTooLarge({ methodKind }: DescMethod, { headers }: NodeRequest, maxBytes: number): void {
  const isOneMessage = methodKind === 'unary' || methodKind === 'server_streaming';
  if (isOneMessage && Number(headers['content-length'] ?? 0) > maxBytes + prefixLength) {
    throw tooLarge('the message', maxBytes);
  }
}

// Health and reflection, over what the edge serves, and who the caller is.
function ownMethods(published: readonly { contract: DescService }[], draining: AbortSignal): Invocable[] {
  const notReady = () => (draining.aborted ? 'draining' : undefined);
  const served = [...published.map(({ contract }) => contract), CallerService, A2AService];
  const health = createHealth(new Map(served.map(({ typeName }) => [typeName, notReady])));
  const reflection = createReflection([...served, Health]);
  const interceptors = [endingWith(draining)];
  return [
    ...createInvocables(Health, health, interceptors),
    ...createInvocables(CallerService, caller, interceptors),
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
