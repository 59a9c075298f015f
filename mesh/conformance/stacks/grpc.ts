import { promisify } from 'node:util';
import { grpc } from '#kit/rpc/grpc/grpc-js.ts';
import { mountGrpc } from '#kit/rpc/grpc/mount.ts';
import { createInvocable } from '#kit/rpc/invoke.ts';
import type { Serve } from './stack.ts';

/** The kit's mount on grpc-js. */
export const serve: Serve = ({ service, handlers, maxMessageBytes }) => {
  const { Server, ServerCredentials } = grpc();
  // Only received messages are limited: an answer that describes a request is larger than the request.
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': -1,
  });
  mountGrpc(
    server,
    service.methods
      .filter((method) => method.localName in handlers)
      .map((method) => createInvocable(method, handlers[method.localName], [])),
    Number.POSITIVE_INFINITY,
    () => ({ maxBytes: maxMessageBytes, maxValues: 10_000 }),
  );
  return promisify(server.bindAsync.bind(server))('127.0.0.1:0', ServerCredentials.createInsecure());
};
