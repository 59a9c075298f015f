import { readFileSync } from 'node:fs';
import type { JsonValue } from '@bufbuild/protobuf';
import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { HttpFailure, unavailableHttp } from '#kit/http/failure.ts';
import { baseUrlOf, readBody, withinTime } from '#kit/http/json.ts';
import { identitySettings } from '../../../tools/settings.ts';
import { headersOf, maxReplyBytes, type Tool, type ToolDeps } from '../../../tools/tool.ts';
import { findOperation, type Operation } from './operation.ts';
import { toHttpRequest } from './request.ts';

/** Beyond the time of the call, which its signal ends, in milliseconds. */
const maxCallMs = 120_000;

/** An operation of an HTTP service that an OpenAPI document (3.0 or 3.1) describes. Only the configured address is called. */
export const adapter = defineAdapter({
  settings: {
    base_url: z
      .string()
      .describe('Address before the paths of the document: "https://host/v1"; its servers are not used'),
    openapi_file: z.string().min(1).describe('The document, as JSON or YAML'),
    operation: z.string().min(1).max(256).describe('The operationId'),
    ...identitySettings,
  },
  create({ base_url, openapi_file, operation: operationId, ...headers }, { fetch, path }: ToolDeps): Tool {
    const baseUrl = baseUrlOf(base_url, path);
    const operation = readOperation(openapi_file, operationId, path);
    return {
      describe: async () => {
        const { description, parameters, method } = operation;
        return { description, parameters, isReadOnly: method === 'GET' || method === 'HEAD' };
      },
      call: (call, signal) =>
        withinTime('tool', maxCallMs, signal, async (ends): Promise<JsonValue> => {
          const { url, headers: own, body } = toHttpRequest(operation, baseUrl, call.arguments);
          const reply = await fetch(url, {
            method: operation.method,
            headers: { accept: 'application/json, text/plain;q=0.5', ...own, ...headersOf(call, headers) },
            ...(body !== undefined && { body }),
            // The identity must not follow to wherever a server points.
            redirect: 'manual',
            signal: ends,
          });
          const text = new TextDecoder().decode(await readBody(reply, maxReplyBytes, 'tool'));
          if (!reply.ok) {
            throw unavailableHttp(
              'tool',
              `answered ${reply.status}`,
              new HttpFailure(reply.status, undefined, reply.headers),
            );
          }
          return (reply.headers.get('content-type') ?? '').includes('json') ? parseReply(text) : text;
        }),
      close: async () => {},
    };
  },
});

function readOperation(file: string, operationId: string, path: string): Operation {
  let document: unknown;
  try {
    // JSON is YAML.
    document = parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    throw new ConfigError(`${path}.settings.openapi_file`, `${file} cannot be read: ${String(error)}`);
  }
  try {
    return findOperation(document, operationId);
  } catch (error) {
    throw new ConfigError(`${path}.settings.operation`, error instanceof Error ? error.message : String(error));
  }
}

function parseReply(text: string): JsonValue {
  if (text.trim() === '') return '';
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw unavailable('tool', 'sent a reply that is not JSON', error);
  }
}
