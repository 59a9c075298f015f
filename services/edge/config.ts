import { create } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type ApiKey, type Config, EdgeConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { type ChosenAdapter, chosenAdapter } from '#kit/host/config/settings.ts';
import { isNetwork } from '#kit/http/networks.ts';
import type { KeyEntry } from './credentials/api-keys.ts';
import { type JwtSettings, readJwtSettings } from './credentials/jwt-settings.ts';
import { isLoopback } from './credentials/loopback.ts';

/** Settings of the edge. */
export interface EdgeSettings {
  host: string;
  /** 0: any free one. */
  port: number;
  /** Keys that callers may use. */
  apiKeys: readonly KeyEntry[];
  /** Tokens that callers may use; `undefined`: none. */
  jwt: JwtSettings | undefined;
  /** No credentials are configured: the edge makes development keys. Only on a loopback address. */
  usesDevKeys: boolean;
  /** Address by which clients reach the edge, without a slash at its end; `undefined`: that of each request. */
  publicUrl: string | undefined;
  /** Origins of browsers that may call; "*" for any. */
  corsOrigins: readonly string[];
  tenantLimit: RateLimit;
  userLimit: RateLimit;
  /** For each address, requests without valid credentials. */
  anonymousLimit: RateLimit;
  /** Answers and model calls of one user that may run concurrently in this process. */
  userMaxConcurrent: number;
  /** Share of requests that have a line in the log, from 0 to 1. */
  accessLogRatio: number;
  /** Whether a completion that a content filter refused before its first word is an error. */
  filteredIsError: boolean;
  /** Addresses and networks of proxies whose `x-forwarded-for` counts. */
  trustedProxies: readonly string[];
  /** Page of a trace, with {trace_id}; empty: none. */
  traceUrl: string;
  /** Counters of requests. */
  limiter: ChosenAdapter;
}

/** How many requests may come. */
export interface RateLimit {
  perSecond: number;
  burst: number;
}

/** Returns the settings from the configuration, checked and frozen. Throws ConfigError. */
export function readEdgeSettings(config: Config): EdgeSettings {
  const edge = config.edge ?? create(EdgeConfigSchema);
  const { host } = edge;
  const apiKeys = readApiKeys(edge.apiKeys);
  const publicUrl = edge.publicUrl === '' ? undefined : edge.publicUrl;
  const own = publicUrl === undefined ? [] : [publicUrl, `${publicUrl}/`, `${publicUrl}/mcp`];
  const jwt = edge.jwt && readJwtSettings(edge.jwt, own);
  const usesDevKeys = apiKeys.length === 0 && jwt === undefined;
  if (usesDevKeys && !isLoopback(host)) {
    throw new ConfigError(
      'edge.host',
      `is "${host}", which others can reach, and no credentials are configured: set edge.api_keys or edge.jwt, or listen on 127.0.0.1`,
    );
  }
  const { grpc } = config;
  if (usesDevKeys && grpc?.admitCredentials === true && !isLoopback(grpc.host)) {
    throw new ConfigError(
      'grpc.admit_credentials',
      `admits development keys on "${grpc.host}", which others can reach: set edge.api_keys or edge.jwt`,
    );
  }
  return Object.freeze({
    host,
    port: edge.port,
    apiKeys,
    jwt,
    usesDevKeys,
    publicUrl,
    corsOrigins: readOrigins(edge.corsOrigins),
    tenantLimit: Object.freeze({ perSecond: edge.tenantRequestsPerSecond, burst: edge.tenantBurst }),
    userLimit: Object.freeze({ perSecond: edge.userRequestsPerSecond, burst: edge.userBurst }),
    anonymousLimit: Object.freeze({ perSecond: edge.anonymousRequestsPerSecond, burst: edge.anonymousBurst }),
    userMaxConcurrent: edge.userMaxConcurrent,
    accessLogRatio: edge.accessLogRatio,
    filteredIsError: edge.filteredIsError,
    trustedProxies: readNetworks(edge.trustedProxies, 'edge.trusted_proxies'),
    traceUrl: edge.traceUrl,
    limiter: chosenAdapter(EdgeConfigSchema.field.limiter, edge.limiter, 'edge.limiter'),
  });
}

function readApiKeys(keys: readonly ApiKey[]): readonly KeyEntry[] {
  const ids = new Set<string>();
  const hashes = new Set<string>();
  return keys.map((key, index) => {
    const path = `edge.api_keys[${index}]`;
    if (ids.has(key.id)) throw new ConfigError(`${path}.id`, `"${key.id}" is the id of another key`);
    if (!/^[0-9a-f]{64}$/.test(key.sha256)) {
      throw new ConfigError(`${path}.sha256`, 'must be the SHA-256 of the key: 64 lower-case hex digits');
    }
    if (hashes.has(key.sha256)) throw new ConfigError(`${path}.sha256`, 'is that of another key');
    if (key.roles.includes(Role.SERVICE)) {
      throw new ConfigError(`${path}.roles`, 'ROLE_SERVICE is for services of the mesh', callerRoleNames);
    }
    if (key.models.length > 0 && !key.roles.includes(Role.MODEL_USER)) {
      throw new ConfigError(
        `${path}.models`,
        'has no effect without ROLE_MODEL_USER: add it to the roles of the key, or remove the models',
      );
    }
    const isLimitable = key.roles.every((role) => role === Role.READER || role === Role.MODEL_USER);
    if (key.corpora.length > 0 && !isLimitable) {
      throw new ConfigError(
        `${path}.corpora`,
        'limits only ROLE_READER and ROLE_MODEL_USER: give the other roles by another key',
      );
    }
    const addresses = readNetworks(key.addresses, `${path}.addresses`);
    ids.add(key.id);
    hashes.add(key.sha256);
    return Object.freeze({
      id: key.id,
      sha256: key.sha256,
      principal: {
        tenant: key.tenant,
        user: key.user || key.id,
        groups: [...key.groups],
        roles: key.roles.length === 0 ? [Role.READER] : [...key.roles],
        ...(key.corpora.length > 0 && { corpora: [...key.corpora] }),
      },
      ...(addresses.length > 0 && { addresses }),
      ...(key.models.length > 0 && { models: Object.freeze([...key.models]) }),
      ...(key.expiresAt && { expiresAtMs: timestampMs(key.expiresAt) }),
    });
  });
}

const callerRoleNames = [
  ...['ROLE_READER', 'ROLE_EDITOR', 'ROLE_AUDITOR', 'ROLE_OPERATOR', 'ROLE_MODEL_USER'],
  ...['ROLE_ADMINISTRATOR', 'ROLE_PLATFORM_ADMINISTRATOR'],
];

function readNetworks(networks: readonly string[], path: string): readonly string[] {
  return Object.freeze(
    networks.map((network, index) => {
      if (isNetwork(network)) return network;
      const problem = `is "${network}"; an address or a network is needed: "10.1.2.3", "10.1.0.0/16"`;
      throw new ConfigError(`${path}[${index}]`, problem);
    }),
  );
}

function readOrigins(origins: readonly string[]): readonly string[] {
  return origins.map((origin, index) => {
    if (origin === '*') return origin;
    const parsed = URL.canParse(origin) ? new URL(origin).origin : undefined;
    if (parsed !== origin) {
      throw new ConfigError(
        `edge.cors_origins[${index}]`,
        `is "${origin}"; an origin is scheme, host and port: "https://shop.example", or "*"`,
      );
    }
    return origin;
  });
}
