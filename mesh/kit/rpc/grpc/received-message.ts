import { type DescMethod, fromBinary, type Message } from '@bufbuild/protobuf';
import { ConnectError } from '@connectrpc/connect';
import { invalidArgument, tooLarge } from '../../base/errors.ts';
import { checkWire } from '../../http/server/wire-bounds.ts';
import type { RequestBounds } from '../policy.ts';

/** A request message that was refused instead of parsed. grpc-js would make INTERNAL of an error thrown there. */
class Refused {
  readonly error: ConnectError;
  constructor(error: ConnectError) {
    this.error = error;
  }
}

/**
 * Returns the function that reads the request messages of a method for grpc-js. It refuses a message that is larger than its bounds
 * allow or would be expensive to parse, before it parses it, and one that is malformed. `unwrap` throws for those.
 */
export function requestReader(method: DescMethod, { maxBytes, maxValues }: RequestBounds): (bytes: Buffer) => Message {
  return (bytes) => {
    try {
      if (bytes.length > maxBytes) throw tooLarge('the message', maxBytes);
      checkWire(method.input, bytes, maxValues);
      return fromBinary(method.input, bytes);
    } catch (error) {
      return new Refused(toRefusal(error)) as unknown as Message;
    }
  };
}

function toRefusal(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  return invalidArgument(`the message is not valid protobuf: ${(error as Error).message}`, { cause: error });
}

/** Returns a message that a request reader made. Throws RESOURCE_EXHAUSTED or INVALID_ARGUMENT when it refused it. */
export function unwrap(message: Message): Message {
  if ((message as unknown) instanceof Refused) throw (message as unknown as Refused).error;
  return message;
}
