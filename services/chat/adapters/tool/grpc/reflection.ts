import { type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, type Transport } from '@connectrpc/connect';
import { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '#gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { toRpcError, unavailable } from '#kit/base/errors.ts';
import { createClient } from '#kit/rpc/client.ts';
import { registryOf } from './registry.ts';

/** Files that a service may need. */
const maxFiles = 256;

type Asked = { case: 'fileContainingSymbol' | 'fileByFilename'; value: string };

/** Reads the contract of a service by server reflection, v1 or for older servers v1alpha. Rejects UNAVAILABLE if the server has none. */
export async function reflectService(
  transport: Transport,
  service: string,
  signal: AbortSignal,
): Promise<FileRegistry> {
  try {
    return await collect((asked) => askV1(transport, asked, signal), service);
  } catch (error) {
    if (toRpcError(error).code !== Code.Unimplemented) throw error;
    return collect((asked) => askV1alpha(transport, asked, signal), service);
  }
}

async function collect(ask: (asked: Asked) => Promise<readonly Uint8Array[]>, service: string): Promise<FileRegistry> {
  const files = new Map<string, FileDescriptorProto>();
  const take = (list: readonly Uint8Array[]) => {
    for (const bytes of list) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      files.set(file.name, file);
    }
    if (files.size > maxFiles) throw unavailable('tool', `the contract of ${service} has more than ${maxFiles} files`);
  };
  take(await ask({ case: 'fileContainingSymbol', value: service }));
  // Some servers send a file alone, others with all that it imports.
  for (;;) {
    const missing = [...files.values()].flatMap(({ dependency }) => dependency).find((name) => !files.has(name));
    if (missing === undefined) return registryOf([...files.values()]);
    const before = files.size;
    take(await ask({ case: 'fileByFilename', value: missing }));
    if (files.size === before) throw unavailable('tool', `the server does not describe ${missing}`);
  }
}

async function askV1(transport: Transport, messageRequest: Asked, signal: AbortSignal) {
  const requests = (async function* () {
    yield { messageRequest };
  })();
  const client = createClient(ServerReflection, transport);
  for await (const { messageResponse } of client.serverReflectionInfo(requests, { signal })) {
    return filesOf(messageResponse, messageRequest.value);
  }
  throw noFile(messageRequest.value);
}

async function askV1alpha(transport: Transport, messageRequest: Asked, signal: AbortSignal) {
  const requests = (async function* () {
    yield { messageRequest };
  })();
  const client = createClient(ServerReflectionAlpha, transport);
  for await (const { messageResponse } of client.serverReflectionInfo(requests, { signal })) {
    return filesOf(messageResponse, messageRequest.value);
  }
  throw noFile(messageRequest.value);
}

function filesOf(response: { case?: string | undefined; value?: unknown }, asked: string): readonly Uint8Array[] {
  if (response.case !== 'fileDescriptorResponse') throw noFile(asked);
  return (response.value as { fileDescriptorProto: Uint8Array[] }).fileDescriptorProto;
}

const noFile = (asked: string) =>
  unavailable('tool', `the server does not describe ${asked}: check method, or set descriptor_file`);
