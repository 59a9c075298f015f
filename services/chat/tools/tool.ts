import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Breakers } from '#kit/breaker/breakers.ts';

/** What an operation of another system is. */
export interface ToolOperation {
  /** What it does, for models; may be empty. */
  readonly description: string;
  /** JSON Schema of its arguments, an object. */
  readonly parameters: JsonObject;
  /** Whether it declares that it changes nothing. */
  readonly isReadOnly: boolean;
}

/** A call of an operation. */
export interface ToolCall {
  /** Valid by the schema. */
  readonly arguments: JsonObject;
  /** Who calls: a signed token that only this tool accepts, and for a minute only. */
  readonly identity: string;
  /** The language of the answer, "zh" or "en"; empty: not known. */
  readonly language: string;
}

/** An operation of another system that an answer may use. */
export interface Tool {
  /** Returns what the operation is, from its description. Rejects if that cannot be read, or has no such operation. */
  describe(signal: AbortSignal): Promise<ToolOperation>;
  /** Calls it once, and never again by itself. Rejects with a ConnectError if it fails; the message has no text of the other system. */
  call(call: ToolCall, signal: AbortSignal): Promise<JsonValue>;
  /** Ends its connections. */
  close(): Promise<void>;
}

/** What an adapter of a tool gets from the service. */
export interface ToolDeps {
  /** With a breaker for each origin. */
  readonly fetch: typeof globalThis.fetch;
  /** For connections that are not made by `fetch`. */
  readonly breakers: Breakers;
  /** Its place in the configuration, for errors: "chat.tools[0]". */
  readonly path: string;
}

/** Largest reply that is read, in bytes. */
export const maxReplyBytes = 256 * 1024;

/** The headers of a call: those of the configuration, the caller's identity, and the language. */
export function headersOf(
  { identity, language }: Pick<ToolCall, 'identity' | 'language'>,
  settings: { headers: Readonly<Record<string, string>>; identity_header: string },
): Record<string, string> {
  const { headers, identity_header: name } = settings;
  const token = name.toLowerCase() === 'authorization' ? `Bearer ${identity}` : identity;
  return { ...headers, ...(language !== '' && { 'accept-language': language }), [name]: token };
}
