import { gzipSync } from 'node:zlib';
import { type DescMessage, type DescMethod, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { z } from 'zod';
import { envelop } from '#kit/rpc/connect/wire.ts';
import { policyOf } from '#kit/rpc/policy.ts';
import { byteDamage, jsonDamage } from './damage.ts';
import { messageJson } from './message-json.ts';
import { type JsonSchema, schemaJson } from './schema-json.ts';
import type { KnownValues } from './values.ts';

/** A request of the fuzzer. */
export interface FuzzRequest {
  /** What it calls, and how: "grpc RetrievalService/Retrieve". */
  name: string;
  httpVersion: 1 | 2;
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

/** How a request is changed after it is made by its contract. */
interface Damage {
  json?: (value: unknown) => unknown;
  bytes?: (bytes: Uint8Array) => Uint8Array;
  headers?: Readonly<Record<string, string>>;
  method?: string;
}

const oddHeaders: readonly Readonly<Record<string, string>>[] = [
  { 'content-type': 'text/plain' },
  { 'content-type': 'application/json; charset=utf-16' },
  { 'content-type': 'application/grpc+thrift' },
  { 'content-type': '' },
  { 'content-encoding': 'gzip' },
  { 'content-encoding': 'br' },
  { 'content-encoding': 'x' },
  { 'grpc-encoding': 'gzip' },
  { 'grpc-encoding': 'x' },
  { 'connect-content-encoding': 'gzip' },
  { 'connect-protocol-version': '2' },
  { 'connect-timeout-ms': 'x' },
  { 'connect-timeout-ms': '99999999999999' },
  { 'grpc-timeout': '1' },
  { 'grpc-timeout': '999999999H' },
  { authorization: '' },
  { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' },
  { authorization: 'Basic eDp4' },
  { traceparent: '00-zz-zz-01' },
  { 'x-request-id': 'x'.repeat(300) },
  { accept: 'x/y' },
];

const damages: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  { weight: 3, arbitrary: jsonDamage.map((json): Damage => ({ json })) },
  { weight: 3, arbitrary: byteDamage.map((bytes): Damage => ({ bytes })) },
  { weight: 1, arbitrary: fc.constantFrom(...oddHeaders).map((headers): Damage => ({ headers })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('GET', 'PUT', 'HEAD', 'OPTIONS', 'PATCH').map((method): Damage => ({ method })),
  },
);

type Codec = 'json' | 'proto';
const protocols = ['connect', 'get', 'grpc', 'grpc-web'] as const;
type Protocol = (typeof protocols)[number];

/** Longest time that a request may take by its own header: streams that follow something end by it. */
export const requestTimeoutMs = 4000;
/** The same of methods without a bound of time. */
const openTimeoutMs = 300;

/** Longest message in an address: the head of a request has a limit of its own, beyond which the connection ends. */
const maxQueryBytes = 4000;

/** Returns an arbitrary of calls of `methods`, by every protocol of rpcs. */
export function rpcRequests(
  methods: readonly DescMethod[],
  known: KnownValues,
  key: string,
): fc.Arbitrary<FuzzRequest> {
  return fc.oneof(...methods.map((method) => callsOf(method, known, key)));
}

function callsOf(method: DescMethod, known: KnownValues, key: string): fc.Arbitrary<FuzzRequest> {
  const message = messageJson(method.input, known);
  const isMany = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
  const one = fc.oneof({ weight: 30, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constantFrom(0, 2) });
  const count = isMany ? fc.nat(4) : one;
  return fc
    .record({
      messages: count.chain((length) => fc.array(message, { minLength: length, maxLength: length })),
      protocol: fc.constantFrom(...protocols),
      codec: fc.constantFrom<Codec>('json', 'proto'),
      httpVersion: fc.constantFrom<1 | 2>(1, 2),
      flags: fc.oneof(
        { weight: 20, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.constantFrom(1, 2, 128, 255) },
      ),
      isGzip: fc.integer({ min: 0, max: 9 }).map((value) => value === 0),
      damage: damages,
    })
    .map((choice) => toRequest(method, key, choice));
}

interface Choice {
  messages: readonly unknown[];
  protocol: Protocol;
  codec: Codec;
  httpVersion: 1 | 2;
  flags: number;
  isGzip: boolean;
  damage: Damage;
}

function toRequest(method: DescMethod, key: string, choice: Choice): FuzzRequest {
  const { codec, flags, isGzip, damage } = choice;
  const isUnary = method.methodKind === 'unary';
  const mayGet = isUnary && method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  const isLong = Buffer.byteLength(JSON.stringify(choice.messages)) > maxQueryBytes;
  const protocol = choice.protocol === 'get' && (!mayGet || isLong) ? 'connect' : choice.protocol;
  const encoded = choice.messages.map((value) => encode(method.input, damage.json?.(value) ?? value, codec));
  const plain = encoded[0] ?? new Uint8Array();
  const isOne = isUnary && (protocol === 'connect' || protocol === 'get');
  const undamaged = isOne
    ? isGzip
      ? gzipSync(plain)
      : plain
    : Buffer.concat(encoded.map((data) => envelop(flags, data)));
  const body = damage.bytes?.(undamaged) ?? undamaged;
  const timeoutMs = String(policyOf(method).timeoutMs === 0 ? openTimeoutMs : requestTimeoutMs);
  const path = `/${method.parent.typeName}/${method.name}`;
  const common = { authorization: `Bearer ${key}` };
  const name = `${protocol} ${method.parent.name}/${method.name}`;
  if (protocol === 'get') {
    const query = new URLSearchParams({ connect: 'v1', encoding: codec, base64: '1' });
    query.set('message', Buffer.from(body).toString('base64url'));
    if (isGzip) query.set('compression', 'gzip');
    const headers = { ...common, 'connect-timeout-ms': timeoutMs, ...damage.headers };
    return {
      name,
      httpVersion: choice.httpVersion,
      method: 'GET',
      path: `${path}?${query}`,
      headers,
      body: new Uint8Array(),
    };
  }
  const headers: Record<string, string> =
    protocol === 'connect'
      ? {
          'content-type': isUnary ? `application/${codec}` : `application/connect+${codec}`,
          'connect-protocol-version': '1',
          'connect-timeout-ms': timeoutMs,
          ...(isGzip && isUnary && { 'content-encoding': 'gzip' }),
        }
      : { 'content-type': `application/${protocol}+${codec}`, te: 'trailers', 'grpc-timeout': `${timeoutMs}m` };
  return {
    name,
    // gRPC is for HTTP/2 alone; the others are for both.
    httpVersion: protocol === 'grpc' ? 2 : choice.httpVersion,
    method: damage.method ?? 'POST',
    path,
    headers: { ...common, ...headers, ...damage.headers },
    body,
  };
}

function encode(desc: DescMessage, value: unknown, codec: Codec): Uint8Array {
  const text = Buffer.from(JSON.stringify(value) ?? '');
  if (codec === 'json') return text;
  try {
    return toBinary(desc, fromJson(desc, value as JsonValue, { ignoreUnknownFields: true }));
  } catch {
    // What protobuf cannot hold is no message; any bytes will do.
    return text;
  }
}

/** A route whose body is JSON. */
export interface JsonRouteSchema {
  path: string;
  schema: z.ZodType;
}

/** Returns an arbitrary of requests to routes whose bodies follow a schema. */
export function jsonRequests(
  routes: readonly JsonRouteSchema[],
  known: KnownValues,
  key: string,
): fc.Arbitrary<FuzzRequest> {
  return fc.oneof(
    ...routes.map(({ path, schema }) =>
      fc
        .record({
          value: schemaJson(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) as JsonSchema, known),
          httpVersion: fc.constantFrom<1 | 2>(1, 2),
          damage: damages,
        })
        .map(({ value, httpVersion, damage }): FuzzRequest => {
          const text = Buffer.from(JSON.stringify(damage.json?.(value) ?? value) ?? '');
          return {
            name: `POST ${path}`,
            httpVersion,
            method: damage.method ?? 'POST',
            path,
            headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...damage.headers },
            body: damage.bytes?.(text) ?? text,
          };
        }),
    ),
  );
}

/** Returns an arbitrary of requests without a body: paths that are served, and such as are not. */
export function pathRequests(key: string): fc.Arbitrary<FuzzRequest> {
  const segment = fc.oneof(
    fc.constantFrom(
      'v1',
      'models',
      'ragmesh',
      'extractive',
      '..',
      '%2e%2e',
      '%00',
      '%ff',
      '%',
      '',
      'a b',
      '.well-known',
      'console',
      'session',
    ),
    fc.webSegment(),
  );
  return fc
    .record({
      path: fc.oneof(
        fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join('/').replaceAll(' ', '%20')}`),
        segment.map((id) => `/v1/models/${id.replaceAll(' ', '%20')}`),
      ),
      method: fc.constantFrom('GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST'),
      httpVersion: fc.constantFrom<1 | 2>(1, 2),
    })
    .map(({ path, method, httpVersion }) => {
      const headers = { authorization: `Bearer ${key}` };
      return { name: 'a path', httpVersion, method, path, headers, body: new Uint8Array() };
    });
}
