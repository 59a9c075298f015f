import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ChannelCredentials, experimental, ServerCredentials } from '@grpc/grpc-js';
import type { GrpcTlsConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '../../base/config-error.ts';
import type { Logger } from '../../base/log.ts';
import { within } from '../../base/within.ts';
import { grpc } from './grpc-js.ts';

/** Encryption of gRPC between processes, and their proofs of who they are. */
export interface GrpcTls {
  /**
   * For the server: it shows its certificate and, unless configured otherwise, requires one of its callers. Resolves when the files have been
   * read: before, the port would refuse every connection. Rejects with ConfigError if they cannot be read within ten seconds.
   */
  server(): Promise<ServerCredentials>;
  /** For calls: the server's certificate must name the host of its address and be signed by an authority of `ca_file`. */
  client(): ChannelCredentials;
}

type Provider = experimental.CertificateProvider;
type Identity = NonNullable<Parameters<experimental.IdentityCertificateUpdateListener>[0]>;
type Authorities = NonNullable<Parameters<experimental.CaCertificateUpdateListener>[0]>;

/**
 * Reads the settings of TLS. The files are read again every `refresh_ms`, so that certificates are replaced while the process runs; files
 * that cannot be read or do not belong together change nothing, and the log says so. Throws ConfigError for such files at the start.
 */
export function readGrpcTls(config: GrpcTlsConfig, log: Logger): GrpcTls {
  const { certificateFile, keyFile, caFile, refreshMs, requireClientCertificate } = config;
  checkFiles(config);
  const { experimental } = grpc();
  const files = new experimental.FileWatcherCertificateProvider({
    certificateFile,
    privateKeyFile: keyFile,
    caCertificateFile: caFile,
    refreshIntervalMs: refreshMs,
  });
  const provider = onlyWhole(files, (reason) =>
    log.error({ event: 'certificate_not_replaced', reason }, 'certificate not replaced'),
  );
  return {
    async server() {
      await within(() => untilRead(provider), {
        timeoutMs: firstReadMs,
        toTimeoutError: () => new ConfigError('grpc.tls', 'the files cannot be read: name readable PEM files'),
      });
      return experimental.createCertificateProviderServerCredentials(provider, provider, requireClientCertificate);
    },
    client: () => experimental.createCertificateProviderChannelCredentials(provider, provider),
  };
}

/** Longest wait for the first reading of the files, in milliseconds. */
const firstReadMs = 10_000;

/** Resolves when the provider has an identity and authorities; it gives them to listeners that come later. */
async function untilRead(provider: Provider): Promise<void> {
  const identity = Promise.withResolvers<void>();
  const authorities = Promise.withResolvers<void>();
  const onIdentity = () => identity.resolve();
  const onAuthorities = () => authorities.resolve();
  provider.addIdentityCertificateListener(onIdentity);
  provider.addCaCertificateListener(onAuthorities);
  await Promise.all([identity.promise, authorities.promise]);
  provider.removeIdentityCertificateListener(onIdentity);
  provider.removeCaCertificateListener(onAuthorities);
}

function checkFiles({ certificateFile, keyFile, caFile }: GrpcTlsConfig): void {
  const read = (name: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new ConfigError(`grpc.tls.${name}`, `cannot be read (${code ?? 'unknown'}): name a readable PEM file`);
    }
  };
  const [cert, key, ca] = [
    read('certificate_file', certificateFile),
    read('key_file', keyFile),
    read('ca_file', caFile),
  ];
  const pairFault = faultOf({ cert, key });
  if (pairFault !== undefined) {
    throw new ConfigError('grpc.tls', `certificate_file and key_file are no pair of PEM files: ${pairFault}`);
  }
  const caFault = faultOf({ ca });
  if (caFault !== undefined) throw new ConfigError('grpc.tls.ca_file', `has no certificate as PEM: ${caFault}`);
}

/** Returns why OpenSSL refuses the files; `undefined`: it takes them. */
function faultOf(files: { cert?: Buffer; key?: Buffer; ca?: Buffer }): string | undefined {
  // OpenSSL takes a file of authorities without any.
  if (files.ca !== undefined && !files.ca.includes('BEGIN CERTIFICATE')) return 'it has none';
  try {
    createSecureContext(files);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'not readable';
  }
}

/**
 * Passes on the files that belong together. While files are replaced, one may be missing, or the certificate be newer than its key: grpc-js
 * would refuse every connection until it reads them again.
 */
function onlyWhole(files: Provider, onFault: (reason: string) => void): Provider {
  const identities = new Map<
    experimental.IdentityCertificateUpdateListener,
    experimental.IdentityCertificateUpdateListener
  >();
  const authorities = new Map<experimental.CaCertificateUpdateListener, experimental.CaCertificateUpdateListener>();
  const wrap = <T>(listener: (update: T | null) => void, fault: (update: T) => string | undefined) => {
    let last: T | undefined;
    return (update: T | null) => {
      const reason = update === null ? 'a file cannot be read' : fault(update);
      if (reason === undefined) last = update as T;
      else onFault(reason);
      if (last !== undefined) listener(last);
    };
  };
  return {
    addCaCertificateListener(listener) {
      const wrapped = wrap<Authorities>(listener, ({ caCertificate }) => faultOf({ ca: caCertificate }));
      authorities.set(listener, wrapped);
      files.addCaCertificateListener(wrapped);
    },
    removeCaCertificateListener(listener) {
      files.removeCaCertificateListener(authorities.get(listener) ?? listener);
      authorities.delete(listener);
    },
    addIdentityCertificateListener(listener) {
      const wrapped = wrap<Identity>(listener, ({ certificate, privateKey }) =>
        faultOf({ cert: certificate, key: privateKey }),
      );
      identities.set(listener, wrapped);
      files.addIdentityCertificateListener(wrapped);
    },
    removeIdentityCertificateListener(listener) {
      files.removeIdentityCertificateListener(identities.get(listener) ?? listener);
      identities.delete(listener);
    },
  };
}
