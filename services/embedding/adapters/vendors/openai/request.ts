import OpenAI, { APIConnectionError, APIError } from 'openai';
import type { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { HttpFailure } from '#kit/http/failure.ts';
import { readBody, withinTime } from '#kit/http/json.ts';
import type { RawReply, RemoteModel } from '../../../models/remote-model.ts';

/** How a server with OpenAI's embeddings is asked. */
export interface OpenAIEmbeddingOptions {
  /** Who is asked, for errors: "openai". */
  provider: string;
  fetch: typeof globalThis.fetch;
  baseURL: string;
  /** Empty: no key is sent. */
  apiKey: string;
  /** Name of the header for the key. @default authorization, as a bearer */
  keyHeader?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  model: string;
  /** Fields of the request by purpose, for models that embed questions and documents differently: another `model`, `input_type`, `task`. */
  fieldsOf?: (purpose: Purpose) => Readonly<Record<string, string>>;
  /** How vectors are sent: base64 takes a quarter of the bytes, and no parsing of numbers. */
  encoding: 'base64' | 'float';
  /** Length of the vectors to ask for; `undefined`: what the model gives by itself. */
  dimensions: number | undefined;
  timeoutMs: number;
}

/** Largest reply, in bytes: 2048 vectors of 3072 numbers as text, and room. */
const maxReplyBytes = 160 << 20;

/** A request for embeddings by the vendor's SDK. It makes one attempt: who retries is the service's business. */
export function createOpenAIRequest(options: OpenAIEmbeddingOptions): RemoteModel['request'] {
  const { provider, apiKey, keyHeader, model, encoding, dimensions, timeoutMs } = options;
  const client = new OpenAI({
    baseURL: options.baseURL,
    // The SDK wants a key; the header below decides what is sent.
    apiKey: apiKey || 'none',
    // Nothing is taken from the environment behind the configuration's back.
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    // Beyond ours, so that ours decides.
    timeout: timeoutMs + 60_000,
    // Texts never reach a log.
    logLevel: 'off',
    defaultHeaders: {
      ...(apiKey === '' || keyHeader !== undefined ? { authorization: null } : {}),
      ...(keyHeader === undefined ? {} : { [keyHeader]: apiKey }),
      ...options.headers,
    },
    ...(options.query && { defaultQuery: options.query }),
    fetch: async (url, init) => {
      const reply = await options.fetch(url as string | URL, { ...init, redirect: 'manual' });
      // A reply has a bound, also one of an error.
      const body = await readBody(reply, maxReplyBytes, provider);
      // Some statuses can have no body, not even an empty one.
      return new Response(body.byteLength === 0 ? null : (body as Uint8Array<ArrayBuffer>), {
        status: reply.status,
        headers: reply.headers,
      });
    },
  });
  return (texts, purpose, signal) =>
    withinTime(provider, timeoutMs, signal, async (ends): Promise<RawReply> => {
      try {
        const body = {
          model,
          input: [...texts],
          encoding_format: encoding,
          ...(dimensions && { dimensions }),
          ...options.fieldsOf?.(purpose),
        };
        const reply = await client.embeddings.create(body, { signal: ends });
        return { vectors: reply.data, model: reply.model, promptTokens: reply.usage?.prompt_tokens };
      } catch (error) {
        throw toPlainError(error);
      }
    });
}

/** The SDK's errors quote what the server says, which may be a text or a key; ours keep that to themselves. */
function toPlainError(error: unknown): unknown {
  if (error instanceof APIConnectionError) return error.cause ?? new TypeError('fetch failed');
  if (error instanceof APIError && error.status !== undefined) {
    return new HttpFailure(error.status, { error: error.error ?? {} }, error.headers ?? new Headers());
  }
  return error;
}
