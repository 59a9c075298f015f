import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { createRemoteCalls, httpError } from './calls.ts';

const never = () => new Promise<never>(() => {});
const call = createRemoteCalls({
  name: 'store',
  timeoutMs: 50,
  toError: (thrown) => new Error('mapped', { cause: thrown }),
});

test('a call gives what the client gives, and its errors by the table', async () => {
  expect(await call(async () => 7)).toBe(7);
  await expect(call(async () => Promise.reject(new Error('no')))).rejects.toThrow('mapped');
  await expect(
    call(() => {
      throw new Error('at once');
    }),
  ).rejects.toThrow('mapped');
});

test('a caller that leaves gets its reason immediately, even if the client ignores the signal', async () => {
  const reason = new Error('left');
  const controller = new AbortController();
  const pending = call(never, controller.signal);
  controller.abort(reason);
  await expect(pending).rejects.toBe(reason);
  let isBegun = false;
  const begin = async () => {
    isBegun = true;
  };
  await expect(call(begin, AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(isBegun).toBe(false);
});

test('the client is notified of the end, and a late call is UNAVAILABLE', async () => {
  let told: AbortSignal | undefined;
  const pending = call((signal) => {
    told = signal;
    return never();
  });
  await expect(pending).rejects.toMatchObject({ code: Code.Unavailable });
  expect(told?.aborted).toBe(true);
});

test('a status says whether trying again helps', () => {
  const codes = [undefined, 400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503].map((status) => {
    const error = httpError('store', status, new Error('the document said'));
    expect(error).toBeInstanceOf(ConnectError);
    expect(error.message).not.toContain('document');
    return [status, Code[error.code]];
  });
  expect(Object.fromEntries(codes)).toMatchInlineSnapshot(`
    {
      "400": "Internal",
      "401": "Unavailable",
      "403": "Unavailable",
      "404": "Internal",
      "408": "Unavailable",
      "413": "Internal",
      "422": "Internal",
      "429": "ResourceExhausted",
      "500": "Unavailable",
      "502": "Unavailable",
      "503": "Unavailable",
      "undefined": "Unavailable",
    }
  `);
});
