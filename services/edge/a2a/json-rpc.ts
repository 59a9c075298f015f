import { toRpcError } from '#kit/base/errors.ts';
import { isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import { httpStatusOf, sendJson } from '../http/error.ts';
import { createEventStream, type EventStream } from '../http/event-stream.ts';
import { anyFields, fieldsAmongOthers, text } from '../http/fields.ts';
import { readJsonBody } from '../http/json-body.ts';
import { type JsonRoute, type JsonRouteDeps, noteFailure } from '../http/json-route.ts';
import { forLargeBodies } from '../http/limits.ts';
import { parseFields } from '../http/parse-fields.ts';
import { headersOf } from '../http/request.ts';
import { challengeHeaders, type OAuthSettings } from '../mcp/oauth.ts';
import { a2aPath } from './card.ts';
import { errorDetails, jsonRpcCodeOf } from './errors.ts';
import { readMessage, toMessageJson } from './json-messages.ts';
import type { Operations } from './operations.ts';
import { versionHeader } from './versions.ts';

const envelope = fieldsAmongOthers({ method: text({ min: 1, max: 128 }), ...anyFields(['id', 'params', 'jsonrpc']) });

/**
 * `POST /a2a`: the JSON-RPC binding. An error of a call that was admitted is a reply with status 200, as JSON-RPC has it; who is not
 * admitted gets the status as well.
 */
export function createJsonRpcRoute(
  operations: Operations,
  deps: JsonRouteDeps,
  settings: () => OAuthSettings,
): JsonRoute {
  const { admit, limits } = deps;
  const bodyLimits = forLargeBodies(limits);
  return async (request, response) => {
    const { signal, abort } = workFor(response);
    let id: string | number | null = null;
    let isAdmitted = false;
    let stream: EventStream | undefined;
    try {
      const admission = await admit(request, signal);
      const body = await readJsonBody(request, bodyLimits);
      isAdmitted = true;
      const asked = parseFields(envelope, body);
      id = idOf(asked.id);
      const method = operations.methodOf(asked.method);
      if (method === undefined) {
        const message = `there is no method "${asked.method}": those of A2A 1.0 are named as in SendMessage`;
        return sendJson(response, 200, { jsonrpc: '2.0', id, error: { code: -32601, message } });
      }
      const version = headersOf(request)(versionHeader)?.trim() ?? '';
      const call = { admission, signal, version };
      const message = readMessage(method.input, asked.params ?? {});
      if (method.methodKind === 'unary') {
        const reply = await operations.unary(method, message, call);
        return sendJson(response, 200, { jsonrpc: '2.0', id, result: toMessageJson(method.output, reply) });
      }
      stream = createEventStream(response, limits);
      for await (const event of operations.stream(method, message, call)) {
        const data = { jsonrpc: '2.0', id, result: toMessageJson(method.output, event) };
        await stream.event(undefined, JSON.stringify(data));
      }
      await stream.end();
    } catch (thrown) {
      abort();
      if (isGone(response)) return;
      noteFailure(deps, a2aPath, request, thrown);
      const error = toRpcError(thrown);
      const failure = { code: jsonRpcCodeOf(error), message: error.rawMessage, data: errorDetails(error) };
      const body = { jsonrpc: '2.0', id, error: failure };
      if (stream?.opened()) return await endWith(stream, JSON.stringify(body));
      const status = isAdmitted ? 200 : httpStatusOf(error);
      sendJson(response, status, body, challengeHeaders(error, request, settings()));
    } finally {
      stream?.close();
    }
  };
}

function idOf(given: unknown): string | number | null {
  return typeof given === 'string' || typeof given === 'number' ? given : null;
}

async function endWith(stream: EventStream, data: string): Promise<void> {
  try {
    await stream.event(undefined, data);
    await stream.end();
  } catch {
    // The client left while the error was sent to it.
  }
}
