import { invalidArgument } from '#kit/base/errors.ts';

/** The last session of a page. */
export interface PagePosition {
  updatedAtMs: number;
  id: string;
}

/** Returns the token of the page after `position`. */
export function toPageToken({ updatedAtMs, id }: PagePosition): string {
  return Buffer.from(JSON.stringify([updatedAtMs, id])).toString('base64url');
}

/** Returns the position after which a page begins; `undefined` for the first page. Throws INVALID_ARGUMENT for a token that no list made. */
export function parsePageToken(token: string): PagePosition | undefined {
  if (token === '') return undefined;
  try {
    const [updatedAtMs, id] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [unknown, unknown];
    if (typeof updatedAtMs === 'number' && typeof id === 'string') return { updatedAtMs, id };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw invalidArgument('page_token is not from this list: start again without one');
}
