import { type DescMethod, fromBinary, type Message } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import { invalidArgument, tooLarge } from '../base/errors.ts';
import type { RequestBounds } from './policy.ts';

/** A request message that was refused in place of being parsed. grpc-js would make INTERNAL of an error thrown there. */
class Refused {
  readonly error: ConnectError;
  constructor(error: ConnectError) {
    this.error = error;
  }
}

/**
 * Returns what reads the request messages of a method for grpc-js: it refuses one that is larger than its bounds allow before
 * it parses it, and one that is no message. `unwrap` throws for those.
 */
export function requestReader(method: DescMethod, { maxBytes }: RequestBounds): (bytes: Buffer) => Message {
  return (bytes) => {
    if (bytes.length > maxBytes) return new Refused(tooLarge('the message', maxBytes)) as unknown as Message;
    try {
      return fromBinary(method.input, bytes);
    } catch (cause) {
      const error = invalidArgument(`the message is not valid protobuf: ${(cause as Error).message}`, { cause });
      return new Refused(error) as unknown as Message;
    }
  };
}

/** Returns a message that a request reader made. Throws RESOURCE_EXHAUSTED or INVALID_ARGUMENT when it refused it. */
export function unwrap(message: Message): Message {
  if ((message as unknown) instanceof Refused) throw (message as unknown as Refused).error;
  return message;
}
