import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  EchoService,
  type UnaryRequest,
  UnaryRequestSchema,
  type UnaryResponse,
  UnaryResponseSchema,
} from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { grpc } from '#kit/rpc/grpc/grpc-js.ts';
import { echo } from '#kit/testing/echo.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';

// Two servers for the benchmark, in a process of their own: grpc-js bare, with the same messages, and ours with every
// interceptor (token, role, validation, metrics, limits, deadline). They never serve at the same time.

const { Server, ServerCredentials } = grpc();
const bare = new Server();
bare.addService(
  {
    unary: {
      path: `/${EchoService.typeName}/Unary`,
      requestStream: false,
      responseStream: false,
      requestSerialize: (message: UnaryRequest) => Buffer.from(toBinary(UnaryRequestSchema, message)),
      requestDeserialize: (bytes: Buffer) => fromBinary(UnaryRequestSchema, bytes),
      responseSerialize: (message: UnaryResponse) => Buffer.from(toBinary(UnaryResponseSchema, message)),
      responseDeserialize: (bytes: Buffer) => fromBinary(UnaryResponseSchema, bytes),
    },
  },
  {
    unary: (call: { request: UnaryRequest }, callback: (error: null, response: UnaryResponse) => void) =>
      callback(null, create(UnaryResponseSchema, { text: call.request.text })),
  },
);
const barePort = await new Promise<number>((resolve, reject) => {
  bare.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error ? reject(error) : resolve(port),
  );
});
const mesh = await startTestMesh([echo]);
const { headers } = await mesh.as();
process.send?.({
  bare: barePort,
  ours: mesh.host.grpcPort,
  authorization: (headers as Record<string, string>).authorization,
});
// Asked before and after a round: the CPU that the round took here, whatever else the machine was doing.
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system });
});
process.once('disconnect', () => process.exit(0));
