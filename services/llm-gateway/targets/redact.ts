import type { JsonObject } from '@bufbuild/protobuf';

const secretName = /key|secret|token$|password|authorization|credential/i;
/** Shorter values are too common inside of other words. */
const minLength = 6;

/** Removes the secrets of a target's settings from a provider's text, and shortens it: for logs, traces, errors and responses. */
export type Redact = (words: string) => string;

/** Creates the redaction for a target with these settings. */
export function createRedact(settings: JsonObject | undefined, maxLength = 256): Redact {
  const secrets = Object.entries(settings ?? {}).flatMap(([name, value]) =>
    secretName.test(name) && typeof value === 'string' && value.length >= minLength ? [value] : [],
  );
  return (words) => {
    let clean = words;
    for (const secret of secrets) clean = clean.replaceAll(secret, '***');
    return clean.length > maxLength ? clean.slice(0, maxLength) : clean;
  };
}
