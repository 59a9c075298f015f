import type { Interceptor } from '@connectrpc/connect';

/** An API key or a token, or a function that returns a current one. */
export type Credential = string | (() => string | Promise<string>);

/** Adds the credential to each call. */
export function authorizing(credential: Credential): Interceptor {
  return (next) => async (request) => {
    const value = typeof credential === 'string' ? credential : await credential();
    request.header.set('authorization', `Bearer ${value}`);
    return next(request);
  };
}
