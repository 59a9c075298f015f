import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, unavailable } from './errors.ts';
import { createLogger } from './log.ts';

/** The line that a warning with `err` writes. */
const lineOf = (err: unknown): string => {
  let line = '';
  const destination = {
    write(text: string) {
      line += text;
    },
  };
  createLogger('info', destination).warn({ event: 'call_failed', err }, 'call failed');
  return line;
};
const errOf = (err: unknown) => JSON.parse(lineOf(err)).err;

test('an error of an rpc is one short line: code, reason, metadata and cause, without descriptors or stack', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6333'), { code: 'ECONNREFUSED' });
  const error = unavailable(
    'vector store',
    'the vector store cannot be reached',
    new TypeError('fetch failed', { cause: refused }),
  );
  expect(errOf(error)).toEqual({
    type: 'ConnectError',
    code: 'Unavailable',
    message: 'the vector store cannot be reached',
    reason: 'DEPENDENCY_UNAVAILABLE',
    metadata: { dependency: 'vector store' },
    cause: {
      type: 'TypeError',
      message: 'fetch failed',
      stack: expect.stringContaining('TypeError: fetch failed'),
      cause: { type: 'Error', code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:6333' },
    },
  });
  const late = rpcError(Code.DeadlineExceeded, ErrorReason.DEADLINE, 'no result after 20 ms', { retryAfterMs: 5 });
  expect(lineOf(late).length).toBeLessThan(400);
});

test('a bug keeps the start of its stack, and no error makes a long line', () => {
  const bug = new RangeError('x'.repeat(10_000));
  const deep = Array.from({ length: 20 }).reduce<Error>((cause) => new Error('again', { cause }), bug);
  expect(errOf(new RangeError('too far')).stack).toContain('log.test.ts');
  expect(lineOf(bug).length).toBeLessThan(2_000);
  expect(lineOf(deep).length).toBeLessThan(6_000);
  expect(errOf('a text')).toEqual({ type: 'string', message: 'a text' });
});
