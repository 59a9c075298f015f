import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { next, type Pass, type PassEvent, type Waiting } from './waiting-pass.ts';

interface Request extends Waiting {
  readonly id: string;
}
const request = (id: string, blockedBy = 'tenant'): Request => ({ id, blockedBy });
const [a, b, c] = [request('a', 'key:1'), request('b', 'key:1'), request('c', 'key:2')];
const line = [a, b, c];
const pass = (current: Request, rest: Request[], init: Partial<Pass<Request>> = {}): Pass<Request> => ({
  current,
  rest,
  full: new Set(),
  isStale: false,
  ...init,
});

describe('a pass over the waiting requests', () => {
  test.each<[string, Pass<Request> | undefined, PassEvent<Request>, string | undefined]>([
    ['begins with the first request', undefined, { kind: 'changed', line }, 'a'],
    ['does not begin without a request', undefined, { kind: 'changed', line: [] }, undefined],
    ['continues with the next request', pass(a, [b, c]), { kind: 'decided', line: [b, c] }, 'b'],
    ['skips requests of a full key', pass(a, [b, c]), { kind: 'full', scope: 'key:1', line }, 'c'],
    ['stops if the tenant is full', pass(a, [b, c]), { kind: 'full', scope: 'tenant', line }, undefined],
    ['skips a request that has left', pass(a, [b, c]), { kind: 'decided', line: [c] }, 'c'],
    ['ends after the last request', pass(c, []), { kind: 'decided', line: [] }, undefined],
    ['keeps its request if something changes', pass(a, [b]), { kind: 'changed', line }, 'a'],
    ['begins again if something has changed', pass(c, [], { isStale: true }), { kind: 'decided', line: [a, b] }, 'a'],
    [
      'begins again if something has changed and the tenant is full',
      pass(a, [b, c], { isStale: true }),
      { kind: 'full', scope: 'tenant', line },
      'a',
    ],
    ['ignores the end of a pass that is over', undefined, { kind: 'decided', line }, undefined],
  ])('%s', (_, before, event, current) => {
    expect(next(before, event)?.current.id).toBe(current);
  });
});

test('a pass tries each request at most once and ends, whichever scopes are full', () => {
  const scope = fc.constantFrom('tenant', 'key:1', 'key:2');
  const outcomes = fc.array(fc.option(scope, { nil: undefined }), { minLength: 20, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(scope, { maxLength: 10 }), outcomes, (scopes, given) => {
      const waiting = scopes.map((blockedBy, index) => request(String(index), blockedBy));
      const tried: string[] = [];
      let current = next<Request>(undefined, { kind: 'changed', line: waiting });
      for (let step = 0; current !== undefined; step++) {
        tried.push(current.current.id);
        const full = given[step];
        if (full === undefined) waiting.splice(waiting.indexOf(current.current), 1);
        current = next(
          current,
          full === undefined ? { kind: 'decided', line: waiting } : { kind: 'full', scope: full, line: waiting },
        );
      }
      expect(new Set(tried).size).toBe(tried.length);
      expect(tried).toEqual(tried.toSorted((x, y) => Number(x) - Number(y)));
    }),
  );
});
