import { readFileSync } from 'node:fs';
import {
  type DescMethod,
  type DescMethodUnary,
  type FileRegistry,
  fromBinary,
  fromJson,
  toJson,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { identitySettings } from '../../../tools/settings.ts';
import { headersOf, maxReplyBytes, type Tool, type ToolDeps } from '../../../tools/tool.ts';
import { reflectService } from './reflection.ts';
import { registryOf } from './registry.ts';
import { commentOf, schemaOf } from './schema.ts';

/** A unary method of a gRPC service, known by a descriptor or by server reflection. Arguments and results are in protobuf's JSON form. */
export const adapter = defineAdapter({
  settings: {
    address: z.string().describe('Address of the server: "host:port", or "https://host:port" with TLS'),
    method: z
      .string()
      .regex(/^[\w.]+\/\w+$/)
      .describe('The method: "package.Service/Method"; a unary one'),
    descriptor_file: z
      .string()
      .describe('File with a FileDescriptorSet, as `buf build -o` writes it; empty: server reflection')
      .default(''),
    ...identitySettings,
  },
  create({ address, method: name, descriptor_file, ...headers }, { breakers, path }: ToolDeps): Tool {
    const baseUrl = /^https?:\/\//.test(address) ? address : `http://${address}`;
    if (!URL.canParse(baseUrl)) throw new ConfigError(`${path}.settings.address`, `"${address}" is no address`);
    const breaker = breakers(new URL(baseUrl).host);
    const [service = '', methodName = ''] = name.split('/');
    // The module is loaded with the first tool.
    let connection: Promise<{ transport: Transport; close: () => void }> | undefined;
    const connect = () => {
      connection ??= open(baseUrl);
      return connection;
    };
    let known = descriptor_file === '' ? undefined : readFile(descriptor_file, `${path}.settings.descriptor_file`);
    if (known !== undefined && findMethod(known, service, methodName) === undefined) {
      throw new ConfigError(`${path}.settings.method`, `${descriptor_file} has no unary method ${name}`);
    }
    const methodOf = async (signal: AbortSignal) => {
      known ??= await breaker.run(
        async (ends) => reflectService((await connect()).transport, service, ends),
        { signals: [signal] },
        isFailureOfServer,
      );
      const method = findMethod(known, service, methodName);
      if (method === undefined) throw unavailable('tool', `the server has no unary method ${name}`);
      return { method, registry: known };
    };
    return {
      async describe(signal) {
        // A server may have been updated since.
        if (descriptor_file === '') known = undefined;
        const { method } = await methodOf(signal);
        return {
          description: commentOf(method),
          parameters: schemaOf(method.input),
          isReadOnly: method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
        };
      },
      async call(call, signal) {
        const { method, registry } = await methodOf(signal);
        const { transport } = await connect();
        const request = fromJson(method.input, call.arguments, { registry });
        const sent = headersOf(call, headers);
        const reply = await breaker
          .run(
            (ends) => transport.unary(method, ends, undefined, sent, request),
            { signals: [signal] },
            isFailureOfServer,
          )
          .catch((error: unknown) => {
            signal.throwIfAborted();
            // Its message is the server's own words.
            throw unavailable('tool', `the server answered ${Code[ConnectError.from(error).code]}`, error);
          });
        return toJson(method.output, reply.message, { registry, useProtoFieldName: true, alwaysEmitImplicit: true });
      },
      async close() {
        (await connection)?.close();
      },
    };
  },
});

/** Reports whether a server cannot serve. Every other status is one that it has replied with, an error of its own code among them. */
const isFailureOfServer = (error: unknown) => ConnectError.from(error).code === Code.Unavailable;

async function open(baseUrl: string) {
  const { createGrpcTransport, Http2SessionManager } = await import('@connectrpc/connect-node');
  const sessions = new Http2SessionManager(baseUrl);
  const transport = createGrpcTransport({ baseUrl, sessionManager: sessions, readMaxBytes: maxReplyBytes });
  return { transport, close: () => sessions.abort() };
}

function readFile(file: string, path: string): FileRegistry {
  try {
    return registryOf(fromBinary(FileDescriptorSetSchema, readFileSync(file)).file);
  } catch (error) {
    throw new ConfigError(path, `${file} is no FileDescriptorSet that can be read: ${String(error)}`);
  }
}

function findMethod(registry: FileRegistry, service: string, name: string): UnaryMethod | undefined {
  const found = registry.getService(service)?.methods.find((method) => method.name === name);
  return found !== undefined && isUnary(found) ? found : undefined;
}

type UnaryMethod = DescMethod & DescMethodUnary;

const isUnary = (method: DescMethod): method is UnaryMethod => method.methodKind === 'unary';
