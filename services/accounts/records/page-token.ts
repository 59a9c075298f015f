import { invalidArgument } from '#kit/base/errors.ts';

/** Returns the token of the page after a row with these sort values. */
export function toPageToken(values: readonly string[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

/** Returns the sort values after which a page begins; none for the first page. Throws INVALID_ARGUMENT for a token that no list made. */
export function fromPageToken(token: string, count: number): string[] {
  if (token === '') return [];
  try {
    const values: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (Array.isArray(values) && values.length === count && values.every((value) => typeof value === 'string')) {
      return values;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw invalidArgument('page_token is not from this list: start again without one');
}
