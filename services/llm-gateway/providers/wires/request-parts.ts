import type { Image } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ProviderError } from '../error.ts';

/** Returns a float32 of the contract as it was written: 0.7, not 0.699999988079071. */
export function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

/** Parses a JSON object of the request. Throws a ProviderError that names it as `what`: 'parameters_json of tool "x"'. */
export function jsonObject(json: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json === '' ? '{}' : json);
  } catch (cause) {
    throw new ProviderError({ remedy: 'fix-request', message: `${what} is not JSON`, kind: 'invalid', cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProviderError({ remedy: 'fix-request', message: `${what} is not a JSON object`, kind: 'invalid' });
  }
  return value as Record<string, unknown>;
}

/** Returns the bytes of an image in base64, without a prefix. */
export function base64(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
}

/** Returns the URL of an image: its own, or a data URL of its bytes. */
export function imageUrl({ source, mediaType }: Image): string {
  if (source.case === 'url') return source.value;
  return `data:${mediaType || 'image/png'};base64,${base64(source.value ?? new Uint8Array())}`;
}
