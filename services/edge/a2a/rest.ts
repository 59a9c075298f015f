import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, toRpcError } from '#kit/base/errors.ts';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';
import { isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import { httpStatusOf, sendJson, toErrorBody } from '../http/error.ts';
import { createEventStream, type EventStream } from '../http/event-stream.ts';
import { readJsonBody } from '../http/json-body.ts';
import { type JsonRoute, type JsonRouteDeps, noteFailure } from '../http/json-route.ts';
import { forLargeBodies } from '../http/limits.ts';
import { headersOf } from '../http/request.ts';
import { challengeHeaders, type OAuthSettings } from '../mcp/oauth.ts';
import { a2aPath } from './card.ts';
import { errorDetails } from './errors.ts';
import { readMessage, toMessageJson } from './json-messages.ts';
import type { Operations } from './operations.ts';
import { versionHeader } from './versions.ts';

/** What a path and a verb of the binding name. */
interface Target {
  method: string;
  /** Fields of the request that are in the path. */
  fields: Record<string, string>;
}

/** `/a2a/…`: the HTTP+JSON binding (A2A 1.0, section 11). Errors are `{error: {code, status, message, details}}`. */
export function createRestRoute(operations: Operations, deps: JsonRouteDeps, settings: () => OAuthSettings): JsonRoute {
  const { admit, limits } = deps;
  const bodyLimits = forLargeBodies(limits);
  return async (request, response) => {
    const { signal, abort } = workFor(response);
    let stream: EventStream | undefined;
    try {
      const admission = await admit(request, signal);
      const url = new URL(request.url ?? '', 'http://edge');
      const target = targetOf(request.method ?? '', url.pathname.slice(a2aPath.length));
      const method = target && operations.methodOf(target.method);
      if (target === undefined || method === undefined) throw nothingHere(request, url.pathname);
      const hasBody = target.method.startsWith('Send') || target.method.startsWith('Create');
      const body = hasBody ? await readJsonBody(request, bodyLimits, ['application/a2a+json']) : queryOf(url);
      const message = readMessage(method.input, { ...(body as object), ...target.fields });
      const call = { admission, signal, version: headersOf(request)(versionHeader)?.trim() ?? '' };
      if (method.methodKind === 'unary') {
        return sendJson(response, 200, toMessageJson(method.output, await operations.unary(method, message, call)));
      }
      stream = createEventStream(response, limits);
      for await (const event of operations.stream(method, message, call)) {
        await stream.event(undefined, JSON.stringify(toMessageJson(method.output, event)));
      }
      await stream.end();
    } catch (thrown) {
      abort();
      if (isGone(response)) return;
      noteFailure(deps, `${a2aPath}/…`, request, thrown);
      const error = toRpcError(thrown);
      if (stream?.opened()) return await endWith(stream, JSON.stringify(toBody(error)));
      sendFailure(response, error, challengeHeaders(error, request, settings()));
    } finally {
      stream?.close();
    }
  };
}

function sendFailure(response: NodeResponse, error: ConnectError, headers: Record<string, string>): void {
  sendJson(response, httpStatusOf(error), toBody(error), headers);
}

/** An error as AIP-193 has it. */
function toBody(error: ConnectError): object {
  const { code, fields } = toErrorBody(error);
  const violations = fields && {
    '@type': 'type.googleapis.com/google.rpc.BadRequest',
    fieldViolations: fields.map(({ path, description }) => ({ field: path, description })),
  };
  const status = code === 'canceled' ? 'CANCELLED' : code.toUpperCase();
  const details = [...errorDetails(error), ...(violations ? [violations] : [])];
  return { error: { code: httpStatusOf(error), status, message: error.rawMessage, details } };
}

const paths: readonly [verbs: readonly string[], path: RegExp, method: string][] = [
  [['POST'], /^message:send$/, 'SendMessage'],
  [['POST'], /^message:stream$/, 'SendStreamingMessage'],
  [['GET'], /^tasks$/, 'ListTasks'],
  [['GET'], /^tasks\/(?<id>[^/:]+)$/, 'GetTask'],
  [['POST'], /^tasks\/(?<id>[^/:]+):cancel$/, 'CancelTask'],
  // The specification has GET, and its SDK for JavaScript sends POST.
  [['GET', 'POST'], /^tasks\/(?<id>[^/:]+):subscribe$/, 'SubscribeToTask'],
  [['POST'], /^tasks\/(?<taskId>[^/:]+)\/pushNotificationConfigs$/, 'CreateTaskPushNotificationConfig'],
  [['GET'], /^tasks\/(?<taskId>[^/:]+)\/pushNotificationConfigs$/, 'ListTaskPushNotificationConfigs'],
  [['GET'], /^tasks\/(?<taskId>[^/:]+)\/pushNotificationConfigs\/(?<id>[^/:]+)$/, 'GetTaskPushNotificationConfig'],
  [
    ['DELETE'],
    /^tasks\/(?<taskId>[^/:]+)\/pushNotificationConfigs\/(?<id>[^/:]+)$/,
    'DeleteTaskPushNotificationConfig',
  ],
  [['GET'], /^extendedAgentCard$/, 'GetExtendedAgentCard'],
];

/** Returns what a path below the binding's names: with or without the tenant before it. */
function targetOf(verb: string, given: string): Target | undefined {
  const path = given.replace(/^\/+|\/$/g, '');
  const [tenant = '', ...rest] = path.split('/');
  for (const [verbs, pattern, method] of paths) {
    if (!verbs.includes(verb)) continue;
    const direct = pattern.exec(path);
    if (direct !== null) return { method, fields: decoded(direct.groups ?? {}) };
    const behindTenant = rest.length > 0 ? pattern.exec(rest.join('/')) : null;
    if (behindTenant !== null) return { method, fields: decoded({ tenant, ...behindTenant.groups }) };
  }
  return undefined;
}

function decoded(groups: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decode(value)]));
}

// What is no percent-encoding stays as it is: it names no task either way.
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Numbers and flags of a query, as protobuf's JSON mapping has them. */
function queryOf(url: URL): Record<string, unknown> {
  const entries = [...url.searchParams].slice(0, 32);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value === 'true' || (value === 'false' ? false : value)]),
  );
}

function nothingHere(request: NodeRequest, path: string): ConnectError {
  const message = `nothing is served at ${request.method} ${path.slice(0, 200)}: see /.well-known/agent-card.json`;
  return rpcError(Code.NotFound, ErrorReason.RESOURCE_NOT_FOUND, message);
}

async function endWith(stream: EventStream, data: string): Promise<void> {
  try {
    await stream.event('error', data);
    await stream.end();
  } catch {
    // The client left while the error was sent to it.
  }
}
