import type { NodeRequest } from './port.ts';

/** Returns the headers of a request without HTTP/2's pseudo-headers, whose names begin with a colon. */
export function toHeaders({ headers }: NodeRequest): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':')) continue;
    if (Array.isArray(value)) for (const one of value) all.append(name, one);
    else all.append(name, value);
  }
  return all;
}

/** Adds headers to others; `undefined` adds none. */
export function copyHeaders(from: Headers | undefined, to: Headers): void {
  if (from !== undefined) for (const [name, value] of from) to.append(name, value);
}
