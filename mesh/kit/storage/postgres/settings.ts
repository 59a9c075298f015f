import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { type StorageConfig, StorageConfigSchema, StorageTlsConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '../../base/config-error.ts';

/** How to reach PostgreSQL. */
export interface PostgresSettings {
  /** Host name or address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** `false`: not encrypted. */
  readonly tls: ConnectionOptions | false;
  readonly poolSize: number;
  /** 0: the server's own limits. */
  readonly statementTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

const advice = 'must be "postgres://user:password@host:5432/database"; "%" in a password is "%25", "@" is "%40"';
const tlsModes = ['disable', 'require', 'verify-full'];

/**
 * Returns the settings of PostgreSQL; `undefined` if the records are embedded. Throws ConfigError for a URL that cannot be used and for
 * files that cannot be read. No error shows the URL: it has a password.
 */
export function readStorage(config: StorageConfig | undefined): PostgresSettings | undefined {
  const { database, tls, poolSize, statementTimeoutMs, connectTimeoutMs } = config ?? create(StorageConfigSchema);
  if (database === '') {
    if (tls !== undefined) throw new ConfigError('storage.tls', 'needs storage.database');
    return undefined;
  }
  const { sslmode, ...address } = readUrl(database);
  const { mode, caFile, certificateFile, keyFile } = tls ?? create(StorageTlsConfigSchema);
  const tlsMode = mode || sslmode || (caFile === '' ? 'disable' : 'verify-full');
  if ((certificateFile === '') !== (keyFile === '')) {
    throw new ConfigError('storage.tls', 'certificate_file and key_file need each other');
  }
  const read = (name: string, path: string) => (path === '' ? undefined : readPem(`storage.tls.${name}`, path));
  const files = {
    ca: read('ca_file', caFile),
    cert: read('certificate_file', certificateFile),
    key: read('key_file', keyFile),
  };
  const encryption: ConnectionOptions = { ...files, rejectUnauthorized: tlsMode === 'verify-full' };
  return Object.freeze({
    ...address,
    tls: tlsMode === 'disable' ? false : encryption,
    ...{ poolSize, statementTimeoutMs, connectTimeoutMs },
  });
}

function readUrl(text: string) {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) throw new ConfigError('storage.database', advice);
  const authority = /^\w+:\/\/([^/?#]*)/.exec(text)?.[1] ?? '';
  // A second "@" is one of the password's that is not encoded.
  if (authority.split('@').length > 2 || url.hash !== '') throw new ConfigError('storage.database', advice);
  for (const name of url.searchParams.keys()) {
    if (name !== 'host' && name !== 'sslmode') {
      throw new ConfigError('storage.database', `the parameter "${name}" is not supported: only host and sslmode are`);
    }
  }
  const sslmode = url.searchParams.get('sslmode') ?? '';
  if (sslmode !== '' && !tlsModes.includes(sslmode)) {
    throw new ConfigError('storage.database', 'sslmode is not supported', tlsModes);
  }
  const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map(decode);
  // As in libpq, the parameter replaces the name: it is the folder of a Unix socket.
  const host = url.searchParams.get('host') ?? decode(url.hostname.replace(/^\[(.*)\]$/, '$1'));
  if (host === '' || !user || !database || database.includes('/')) throw new ConfigError('storage.database', advice);
  return { host, port: url.port === '' ? 5432 : Number(url.port), database, user, password: password ?? '', sslmode };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError('storage.database', advice);
  }
}

function readPem(path: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new ConfigError(path, 'cannot be read');
  }
}

/** Returns the address for logs and errors, without user and password: "db:5432/ragmesh". */
export function describeAddress({ host, port, database }: PostgresSettings): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
}
