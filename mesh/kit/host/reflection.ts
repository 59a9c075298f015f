import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { file_google_rpc_error_details } from '#gen/google/rpc/error_details_pb.ts';
import type { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import type { ServerReflection as ServerReflectionAlpha } from '#gen/grpc/reflection/v1alpha/reflection_pb.ts';
import type { ServiceHandlers } from '../rpc/handlers.ts';

/**
 * gRPC server reflection for contracts, in both versions of the protocol that clients speak: v1, and v1alpha for older
 * ones. Both have the same messages. The details of errors (google.rpc) are known as well.
 */
export function createReflection(services: readonly DescService[]): {
  v1: ServiceHandlers<typeof ServerReflection>;
  v1alpha: ServiceHandlers<typeof ServerReflectionAlpha>;
} {
  // The details of errors are in no contract: clients need them to show what an error says.
  const files = collectFiles([...services.map((service) => service.file), file_google_rpc_error_details]);
  const names = services.map((service) => service.typeName).sort();
  const byFile = new Map([...files].map((file) => [file.proto.name, file]));
  const bySymbol = new Map([...files].flatMap((file) => symbolsOf(file).map((symbol) => [symbol, file] as const)));

  const describe = (file: DescFile | undefined, asked: string) => {
    if (file === undefined) {
      return {
        case: 'errorResponse' as const,
        value: { errorCode: Code.NotFound as number, errorMessage: `${asked} is not known` },
      };
    }
    const fileDescriptorProto = [...collectFiles([file])].map((needed) =>
      toBinary(FileDescriptorProtoSchema, needed.proto),
    );
    return { case: 'fileDescriptorResponse' as const, value: { fileDescriptorProto } };
  };
  const answer = (request: { case?: string | undefined; value?: unknown }) => {
    switch (request.case) {
      case 'listServices':
        return { case: 'listServicesResponse' as const, value: { service: names.map((name) => ({ name })) } };
      case 'fileByFilename':
        return describe(byFile.get(request.value as string), request.value as string);
      case 'fileContainingSymbol':
        return describe(bySymbol.get(request.value as string), request.value as string);
      default:
        return {
          case: 'errorResponse' as const,
          value: { errorCode: Code.Unimplemented as number, errorMessage: 'extensions are not reflected' },
        };
    }
  };
  return {
    v1: {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          yield { validHost: request.host, originalRequest: request, messageResponse: answer(request.messageRequest) };
        }
      },
    },
    v1alpha: {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          yield { validHost: request.host, originalRequest: request, messageResponse: answer(request.messageRequest) };
        }
      },
    },
  };
}

function collectFiles(roots: readonly DescFile[], found = new Set<DescFile>()): Set<DescFile> {
  for (const file of roots) {
    if (found.has(file)) continue;
    found.add(file);
    collectFiles(file.dependencies, found);
  }
  return found;
}

function symbolsOf(file: DescFile): string[] {
  const services = file.services.flatMap((service) => [
    service.typeName,
    ...service.methods.map((method) => `${service.typeName}.${method.name}`),
  ]);
  return [...services, ...file.messages.map((message) => message.typeName), ...file.enums.map((type) => type.typeName)];
}
