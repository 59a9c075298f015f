import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

// Checks every request and reply between an adapter and a server against the server's OpenAPI file.

/** A part of an OpenAPI 3.0 schema, as far as Qdrant's file uses it. */
interface Schema {
  $ref?: string;
  type?: string;
  format?: string;
  nullable?: boolean;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  minLength?: number;
}

interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

interface Contract {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** A proxy that checks. */
export interface CheckedServer {
  url: string;
  /** The violations of the contract, one line for each. */
  violations: string[];
  /** Calls of each operation: "post /collections/{collection_name}/points/query". */
  calls: Map<string, number>;
  close(): Promise<void>;
}

/** Starts a proxy in front of the server at `target`. It records violations of the OpenAPI file. */
export async function startCheckedServer(openapiFile: string, target: string): Promise<CheckedServer> {
  const contract = JSON.parse(readFileSync(openapiFile, 'utf8')) as Contract;
  const violations: string[] = [];
  const calls = new Map<string, number>();
  const paths = Object.entries(contract.paths).map(([path, operations]) => {
    const pattern = path.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{\w+\}/g, '[^/]+');
    return { path, operations, pattern: new RegExp(`^${pattern}$`) };
  });
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://proxy');
    const method = (request.method ?? '').toLowerCase();
    const found = paths.find(({ operations, pattern }) => pattern.test(url.pathname) && method in operations);
    const operation = found?.operations[method];
    const name = `${method} ${found?.path ?? url.pathname}`;
    const note = (problems: string[]) => violations.push(...problems.map((problem) => `${name}: ${problem}`));
    calls.set(name, (calls.get(name) ?? 0) + 1);
    const body = await textOf(request);
    if (operation === undefined) note(['no such operation']);
    else note(requestProblems(contract, operation, url, body));
    try {
      const reply = await fetch(`${target}${url.pathname}${url.search}`, {
        method: method.toUpperCase(),
        headers: { 'content-type': 'application/json' },
        ...(body !== '' && { body }),
      });
      const text = await reply.text();
      if (operation !== undefined) note(replyProblems(contract, operation, reply.status, text));
      response.writeHead(reply.status, { 'content-type': 'application/json' }).end(text);
    } catch {
      request.socket.destroy();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    violations,
    calls,
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function requestProblems(contract: Contract, operation: Operation, url: URL, body: string): string[] {
  const problems: string[] = [];
  const inQuery = new Map(
    (operation.parameters ?? []).filter((part) => part.in === 'query').map((part) => [part.name, part]),
  );
  for (const [name, value] of url.searchParams) {
    const parameter = inQuery.get(name);
    if (parameter === undefined) problems.push(`no query parameter "${name}"`);
    // A word that is no JSON is a string.
    else
      problems.push(
        ...check(contract, parameter.schema, /^(true|false|\d+)$/.test(value) ? JSON.parse(value) : value, name),
      );
  }
  const schema = operation.requestBody?.content['application/json']?.schema;
  if (schema === undefined) return body === '' ? problems : [...problems, 'takes no body'];
  return [...problems, ...(body === '' ? ['needs a body'] : check(contract, schema, JSON.parse(body), 'body'))];
}

function replyProblems(contract: Contract, operation: Operation, status: number, text: string): string[] {
  const { responses } = operation;
  const reply = responses[status] ?? responses[`${Math.floor(status / 100)}XX`] ?? responses.default;
  const schema = reply?.content?.['application/json']?.schema;
  return schema === undefined ? [] : check(contract, schema, JSON.parse(text), `reply ${status}`);
}

/** Returns how `value` violates `schema`. An object with named properties may have no others: a misspelt one would be lost silently. */
export function check(contract: Contract, schema: Schema, value: unknown, path: string): string[] {
  if (schema.$ref !== undefined) {
    const target = contract.components.schemas[schema.$ref.replace('#/components/schemas/', '')];
    return target === undefined ? [`${path}: no schema ${schema.$ref}`] : check(contract, target, value, path);
  }
  if (value === null && schema.nullable === true) return [];
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    const tried = choices.map((choice) => check(contract, choice, value, path));
    if (tried.some((problems) => problems.length === 0)) return [];
    return [`${path}: fits none of ${choices.length}: ${tried.map(([first]) => first).join(' / ')}`];
  }
  // `{nullable: true}` alone means null in the file's choices.
  if (schema.type === undefined && schema.enum === undefined && schema.nullable === true) return [`${path}: not null`];
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${path}: not one of ${schema.enum.join()}`];
  switch (schema.type) {
    case 'object':
      return checkObject(contract, schema, value, path);
    case 'array': {
      if (!Array.isArray(value)) return [`${path}: no array`];
      if (value.length < (schema.minItems ?? 0)) return [`${path}: fewer than ${schema.minItems}`];
      const { items } = schema;
      return items === undefined ? [] : value.flatMap((one, index) => check(contract, items, one, `${path}[${index}]`));
    }
    case 'integer':
    case 'number': {
      const isRight = typeof value === 'number' && (schema.type === 'number' || Number.isInteger(value));
      if (!isRight) return [`${path}: no ${schema.type}`];
      const isInside = value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity);
      return isInside ? [] : [`${path}: ${value} is out of range`];
    }
    case 'string': {
      if (typeof value !== 'string') return [`${path}: no string`];
      if (schema.format === 'uuid' && !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(value))
        return [`${path}: no UUID`];
      return value.length < (schema.minLength ?? 0) ? [`${path}: too short`] : [];
    }
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${path}: no boolean`];
    default:
      return [];
  }
}

function checkObject(contract: Contract, schema: Schema, value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: no object`];
  const missing = (schema.required ?? [])
    .filter((name) => !(name in value))
    .map((name) => `${path}.${name}: is missing`);
  const { properties, additionalProperties } = schema;
  const problems = Object.entries(value).flatMap(([name, inner]) => {
    const known = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (known !== undefined) return check(contract, known, inner, `${path}.${name}`);
    if (typeof additionalProperties === 'object')
      return check(contract, additionalProperties, inner, `${path}.${name}`);
    return properties === undefined || additionalProperties === true ? [] : [`${path}.${name}: unknown`];
  });
  return [...missing, ...problems];
}
