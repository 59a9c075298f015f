import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { invalidArgument } from '#kit/base/errors.ts';
import type { Operation } from './operation.ts';

/** A request of an operation. */
export interface HttpRequest {
  url: string;
  headers: Record<string, string>;
  body: string | undefined;
}

/** Returns the request of a call, in OpenAPI's default styles. Throws INVALID_ARGUMENT for a value that the style cannot carry. */
export function toHttpRequest(operation: Operation, baseUrl: string, given: JsonObject): HttpRequest {
  const headers: Record<string, string> = {};
  const query = new URLSearchParams();
  let { path } = operation;
  for (const { name, in: place } of operation.sent) {
    const value = given[name];
    if (value === undefined || value === null) continue;
    if (place === 'path') path = path.replaceAll(`{${name}}`, segmentOf(name, value));
    else if (place === 'header') headers[name] = headerOf(name, value);
    else for (const one of Array.isArray(value) ? value : [value]) query.append(name, textOf(name, one));
  }
  if (path.includes('{')) throw invalidArgument(`an argument of the path ${operation.path} is missing`);
  const search = query.size === 0 ? '' : `?${query}`;
  const body = operation.hasBody && given.body !== undefined ? JSON.stringify(given.body) : undefined;
  if (body !== undefined) headers['content-type'] = 'application/json';
  return { url: `${baseUrl}${path}${search}`, headers, body };
}

// A value stays one segment of the path: "../" would lead to another operation.
function segmentOf(name: string, value: JsonValue): string {
  const text = textOf(name, value);
  if (text === '' || text === '.' || text === '..') throw invalidArgument(`"${name}" cannot be a part of the path`);
  return encodeURIComponent(text);
}

function headerOf(name: string, value: JsonValue): string {
  const text = textOf(name, value);
  if (!/^[\x20-\x7e]*$/.test(text)) throw invalidArgument(`"${name}" cannot be sent in a header`);
  return text;
}

function textOf(name: string, value: JsonValue): string {
  if (typeof value === 'object') throw invalidArgument(`"${name}" must be a text, a number or a boolean`);
  return String(value);
}
