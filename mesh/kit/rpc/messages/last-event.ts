import { type DescField, type DescMessage, getOption, type Message } from '@bufbuild/protobuf';
import { last_event as lastEventOption } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';

/** Time that a stream gets to end after its last event when its consumer has left, in milliseconds. */
const graceMs = 1_000;

type Test = (message: Message) => boolean;

/** A stream whose consumer leaves. */
export interface LeftStream {
  /** Cancels the call. */
  cancel(): void;
  /** Reads and drops what still comes, and calls `onEnd` when the stream has ended. */
  readToEnd(onEnd: () => void): void;
}

/**
 * Leaves a stream of which `last` was read last: cancels its call, unless `last` is its last event. Then the handler finishes as if its
 * consumer had stayed, for a short time.
 */
export function leaveStream(schema: DescMessage, last: Message | undefined, { cancel, readToEnd }: LeftStream): void {
  if (last === undefined || !lastEventTestOf(schema)(last)) {
    cancel();
    return;
  }
  const timer = setTimeout(cancel, graceMs);
  readToEnd(() => clearTimeout(timer));
}

const tests = new WeakMap<DescMessage, Test>();

/**
 * Returns a function that reports whether a message of a stream is its last event: the contract marks a member of a oneof of it, or
 * of the message that this member holds, with `last_event`.
 */
function lastEventTestOf(schema: DescMessage): Test {
  let test = tests.get(schema);
  if (test === undefined) {
    test = createTest(schema, true);
    tests.set(schema, test);
  }
  return test;
}

function createTest(schema: DescMessage, looksInside: boolean): Test {
  const members = schema.oneofs.map(({ localName, fields }) => ({
    localName,
    tests: new Map(fields.map((field) => [field.localName, testOfMember(field, looksInside)])),
  }));
  return (message) =>
    members.some(({ localName, tests }) => {
      const member = Reflect.get(message, localName) as { case?: string; value?: unknown };
      const test = member.case === undefined ? undefined : tests.get(member.case);
      return test !== undefined && (test === true || test(member.value as Message));
    });
}

function testOfMember(field: DescField, looksInside: boolean): Test | true | undefined {
  if (getOption(field, lastEventOption)) return true;
  return looksInside && field.fieldKind === 'message' ? createTest(field.message, false) : undefined;
}
