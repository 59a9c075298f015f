import { a2aError } from './errors.ts';

/** The version of the protocol that is served. */
export const protocolVersion = '1.0';

/** Header by which a client names the version that it speaks. */
export const versionHeader = 'a2a-version';

/** Throws VERSION_NOT_SUPPORTED for another version than ours. A client that names none is taken at its messages. */
export function requireVersion(version: string): void {
  if (version === '' || /^1(?:\.0){0,2}$/.test(version)) return;
  throw a2aError('VERSION_NOT_SUPPORTED', `A2A ${version.slice(0, 32)} is not spoken here: use ${protocolVersion}`, {
    supported: protocolVersion,
  });
}
