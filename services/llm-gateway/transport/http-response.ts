import type { IncomingHttpHeaders } from 'node:http';

/** The bytes of a response, which can be read once. Leaving the iteration closes the connection. */
export interface ResponseBody extends AsyncIterableIterator<Uint8Array> {
  /** Cancels the rest of the body. */
  cancel(): Promise<void>;
}

/** The part of a `Response` that the wires and the vendors' packages use. */
export class HttpResponse {
  readonly url: string;
  readonly status: number;
  readonly statusText: string;
  readonly headers: ResponseHeaders;
  readonly body: ResponseBody | null;
  readonly redirected = false;
  readonly type = 'default';

  /** `isDecoded`: the body no longer has the encoding and length of its headers. */
  constructor(
    url: string,
    status: number,
    statusText: string,
    headers: IncomingHttpHeaders,
    body: ResponseBody,
    isDecoded: boolean,
  ) {
    this.url = url;
    this.status = status;
    this.statusText = statusText;
    this.headers = new ResponseHeaders(isDecoded ? withoutEncoding(headers) : headers);
    this.body = status === 204 || status === 205 || status === 304 ? null : body;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  async text(): Promise<string> {
    const parts: Uint8Array[] = [];
    for await (const part of this.body ?? []) parts.push(part);
    // A byte order mark is not part of the text.
    return new TextDecoder().decode(parts.length === 1 ? parts[0] : Buffer.concat(parts));
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }
}

/** The headers of a response. Names are not case-sensitive. */
export class ResponseHeaders implements Iterable<[string, string]> {
  readonly #fields: IncomingHttpHeaders;
  constructor(fields: IncomingHttpHeaders) {
    this.#fields = fields;
  }
  get(name: string): string | null {
    const value = this.#fields[name.toLowerCase()];
    return value === undefined ? null : typeof value === 'string' ? value : value.join(', ');
  }
  has(name: string): boolean {
    return this.#fields[name.toLowerCase()] !== undefined;
  }
  *entries(): IterableIterator<[string, string]> {
    for (const name of Object.keys(this.#fields)) yield [name, this.get(name) ?? ''];
  }
  keys(): Iterable<string> {
    return Object.keys(this.#fields);
  }
  forEach(visit: (value: string, name: string) => void): void {
    for (const [name, value] of this.entries()) visit(value, name);
  }
  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }
}

function withoutEncoding(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { 'content-encoding': _, 'content-length': __, ...rest } = headers;
  return rest;
}
