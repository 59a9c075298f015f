import type { DescMessage, Message } from '@bufbuild/protobuf';
import { createValidator, type Violation } from '@bufbuild/protovalidate';
import { internal, invalidArgument } from '../../base/errors.ts';
import type { Interceptor } from '../invoke.ts';
import { quickCheckOf } from './quick-check.ts';
import { badTimestamps } from './timestamps.ts';

/** Makes the checks of a message now, so that the first call does not wait for it. */
export function prepareCheck(schema: DescMessage): void {
  quickCheckOf(schema);
}

type Check = (schema: DescMessage, message: Message) => void;

/** Holds every request message to the rules of its contract; INVALID_ARGUMENT names each field that breaks one. */
export function validationInterceptor(): Interceptor {
  const check = createCheck();
  return (next) => (call) => {
    if (Symbol.asyncIterator in call.message) call.message = checkAll(call.method.input, call.message, check);
    else check(call.method.input, call.message);
    return next(call);
  };
}

/** Returns a function that throws INVALID_ARGUMENT if a message breaks the rules of its contract. */
export function createCheck(): Check {
  const validator = createValidator();
  return (schema, message) => {
    const times = badTimestamps(schema, message);
    if (times.length > 0) throw invalidArgument(`${times.join(', ')}: is no time of the years 1 to 9999`);
    if (quickCheckOf(schema)(message)) return;
    const result = validator.validate(schema, message);
    if (result.kind === 'valid') return;
    if (result.kind === 'error') throw internal(result.error);
    const violations = result.violations.map((violation) => ({
      field: violation.toString().split(': ')[0] ?? '',
      description: wordsOf(violation),
    }));
    const text = violations.map(({ field, description }) => `${field}: ${description}`).join('; ');
    throw invalidArgument(text, { violations });
  };
}

// An enum's value 0 means that it was not given, also by a name in JSON that the contract does not have.
function wordsOf({ ruleId, message }: Violation): string {
  return ruleId === 'enum.not_in' && message.endsWith('[0]')
    ? 'must be one of the names of the contract, other than the first'
    : message;
}

async function* checkAll(schema: DescMessage, messages: AsyncIterable<Message>, check: Check): AsyncIterable<Message> {
  for await (const message of messages) {
    check(schema, message);
    yield message;
  }
}
