import type { Transport } from '@connectrpc/connect';
import { createCallTransport } from '../call-transport.ts';
import { openCall } from './client-call.ts';
import type { PipeConnection } from './connection.ts';
import { decodeMessage } from './wire.ts';

/** Creates a Connect transport over a connection of a group. Codes, details, deadlines and cancellation are those of the grpc mount. */
export function createPipeTransport(connection: PipeConnection): Transport {
  return createCallTransport(
    (init) => openCall(connection, init),
    (method, bytes) => decodeMessage(method.output, bytes),
  );
}
