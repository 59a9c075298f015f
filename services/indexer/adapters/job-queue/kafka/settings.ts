import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';

/** Settings of the Kafka queue. */
export const kafkaSettings = {
  brokers: z.array(z.string().min(3)).min(1).describe('The brokers to connect to first: "host:port"'),
  topic: z.string().min(1).max(200).default('ragmesh-index-jobs'),
  group: z.string().min(1).max(200).describe('The consumer group of the workers').default('ragmesh-indexer'),
  create_topics: z.boolean().describe('Whether missing topics are created').default(true),
  partitions: z
    .int()
    .min(1)
    .max(10_000)
    .describe('Partitions of a topic that is created: the most workers that get messages')
    .default(16),
  replication_factor: z
    .int()
    .min(-1)
    .max(32)
    .describe("Of a topic that is created. -1: the brokers' default")
    .default(-1),
  session_timeout_ms: z
    .int()
    .min(6000)
    .max(300_000)
    .describe('Time after which the partitions of a lost worker go to others')
    .default(10_000),
  timeout_ms: z.int().min(100).max(60_000).describe('Longest time of one request').default(5000),
  tls: z.boolean().default(false),
  tls_ca_file: z
    .string()
    .describe("File with the certificates (PEM) that sign those of the brokers. Empty: the system's")
    .default(''),
  sasl_mechanism: z.enum(['', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']).describe('Empty: no login').default(''),
  username: z.string().default(''),
  password: secret().default(''),
};

/** Values of the settings. */
export type KafkaSettings = Settings<typeof kafkaSettings>;

/** The loaded package. */
export type Kafka = typeof import('@platformatic/kafka');

/** Loads the package. Throws ConfigError if it is not installed. */
export async function loadKafka(path: string): Promise<Kafka> {
  return await import('@platformatic/kafka').catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const advice = 'npm install --no-save --save-prod --omit=dev @platformatic/kafka';
    throw new ConfigError(`${path}.adapter`, `needs the package "@platformatic/kafka": ${advice}`);
  });
}

/** Returns the options that every client shares. Throws ConfigError. */
export async function clientOptions(settings: KafkaSettings, path: string) {
  const { brokers, timeout_ms: timeout, tls, tls_ca_file, sasl_mechanism: mechanism, username, password } = settings;
  if ((mechanism === '') !== (username === '')) {
    throw new ConfigError(`${path}.settings.sasl_mechanism`, 'and username belong together: set both or none');
  }
  const ca = tls_ca_file === '' ? undefined : await readFile(tls_ca_file).catch(() => undefined);
  if (tls_ca_file !== '' && ca === undefined) {
    throw new ConfigError(`${path}.settings.tls_ca_file`, 'cannot be read');
  }
  return {
    clientId: 'ragmesh-indexer',
    bootstrapBrokers: [...brokers],
    connectTimeout: timeout,
    requestTimeout: timeout + 10_000,
    timeout,
    retries: 1,
    ...(tls && { tls: ca === undefined ? {} : { ca }, tlsServerName: true }),
    ...(mechanism !== '' && { sasl: { mechanism, username, password } }),
  };
}

/** Options that every client shares. */
export type ClientOptions = Awaited<ReturnType<typeof clientOptions>>;

/** Returns the topic for messages that no worker can use. */
export const deadLettersOf = (topic: string) => `${topic}.dead-letters`;
