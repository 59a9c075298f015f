import type { NodeRequest } from '#kit/http/server/port.ts';

const usable = /^[\w.:-]{1,128}$/;

/** Returns the request's own `x-request-id` if it is 1 to 128 letters, digits and `_.:-`; else a new one. */
export function requestIdOf({ headers }: NodeRequest, newId: () => string): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && usable.test(given) ? given : newId();
}
