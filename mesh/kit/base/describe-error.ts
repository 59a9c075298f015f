import { Code, ConnectError } from '@connectrpc/connect';
import { errorInfoOf } from './errors.ts';

/** An error as a log line shows it. */
export interface ErrorDescription {
  type: string;
  message: string;
  /** Name of the gRPC code, or code of a system error: "Unavailable", "ECONNREFUSED". */
  code?: string | number;
  /** Reason and metadata of the ErrorInfo of an error that crossed a service. */
  reason?: string;
  metadata?: Record<string, string>;
  /** The first lines of the stack; only of errors that no code explains. */
  stack?: string;
  cause?: ErrorDescription;
}

/** Longest message, in characters. */
const maxMessage = 500;
/** Lines of a stack that are shown. */
const maxStackLines = 8;
/** Longest part of a stack, in characters. */
const maxStack = 1000;
/** Causes that are shown, one below the other. */
const maxCauses = 3;

/**
 * Returns what an operator needs of an error, bounded in size: an error of an rpc by its code, reason and metadata, without the
 * descriptors of its details; any other error with the first lines of its stack. Values that are not errors become their text.
 */
export function describeError(thrown: unknown, depth = 0): ErrorDescription {
  if (!(thrown instanceof Error)) return { type: typeof thrown, message: String(thrown).slice(0, maxMessage) };
  const cause = causeOf(thrown, depth);
  if (thrown instanceof ConnectError) {
    const info = errorInfoOf(thrown);
    const hasMetadata = info !== undefined && Object.keys(info.metadata).length > 0;
    return {
      type: thrown.name,
      code: Code[thrown.code] ?? thrown.code,
      message: thrown.rawMessage.slice(0, maxMessage),
      ...(info && { reason: info.reason }),
      ...(hasMetadata && { metadata: info.metadata }),
      ...cause,
    };
  }
  const { code } = thrown as NodeJS.ErrnoException;
  const hasCode = typeof code === 'string' || typeof code === 'number';
  return {
    type: thrown.name,
    ...(hasCode && { code }),
    message: thrown.message.slice(0, maxMessage),
    // A code such as ECONNREFUSED says all; any other error may be a bug.
    ...(!hasCode && { stack: stackOf(thrown) }),
    ...cause,
  };
}

// The stack begins with the message, which may be long.
function stackOf({ stack = '' }: Error): string {
  return stack.split('\n', maxStackLines).join('\n').slice(0, maxStack);
}

function causeOf(error: Error, depth: number): { cause?: ErrorDescription } {
  const cause = error instanceof AggregateError ? (error.errors[0] as unknown) : error.cause;
  return cause === undefined || depth >= maxCauses ? {} : { cause: describeError(cause, depth + 1) };
}
