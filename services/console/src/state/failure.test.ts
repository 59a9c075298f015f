import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, tooLarge } from '#kit/base/errors.ts';
import { canRetry, failureOf } from './failure.ts';

describe('a failure', () => {
  test.each([
    [Code.Unauthenticated, 'credentials'],
    [Code.PermissionDenied, 'forbidden'],
    [Code.ResourceExhausted, 'rate_limited'],
    [Code.Unavailable, 'unavailable'],
    [Code.DeadlineExceeded, 'deadline'],
    [Code.InvalidArgument, 'invalid'],
    [Code.NotFound, 'not_found'],
    [Code.Internal, 'internal'],
  ] as const)('of code %i is %s', (code, kind) => {
    expect(failureOf(new ConnectError('what the server said', code))).toEqual({
      kind,
      message: 'what the server said',
    });
  });

  test('of a plain HTTP 429 from a proxy is a rate limit, with the time of its header', () => {
    const error = new ConnectError('HTTP 429', Code.Unavailable, { 'retry-after': '7' });
    expect(failureOf(error)).toEqual({ kind: 'rate_limited', message: '', retryAfterMs: 7000 });
    expect(failureOf(new ConnectError('HTTP 503', Code.Unavailable))).toMatchObject({ kind: 'unavailable' });
  });

  test('says when to try again, from RetryInfo or from the header', () => {
    const info = rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, 'slow down', { retryAfterMs: 2500 });
    expect(failureOf(info)).toMatchObject({ kind: 'rate_limited', retryAfterMs: 2500 });
    const header = new ConnectError('slow down', Code.Unavailable, { 'retry-after': '7' });
    expect(failureOf(header)).toMatchObject({ kind: 'unavailable', retryAfterMs: 7000 });
  });

  test('of a message that is too large cannot be retried', () => {
    const failure = failureOf(tooLarge('the question', 4096));
    expect(failure.kind).toBe('invalid');
    expect(canRetry(failure)).toBe(false);
  });

  test('of a broken connection differs from that of an incomplete stream', () => {
    expect(failureOf(new TypeError('Failed to fetch'))).toMatchObject({ kind: 'offline' });
    expect(failureOf('missing EndStreamResponse')).toMatchObject({ kind: 'incomplete' });
    expect(canRetry({ kind: 'offline', message: '' })).toBe(true);
  });
});
