import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { root } from '../../tools.ts';

/** Files of a project, in the order in which `docker compose -f` takes them. */
export const projects = {
  compose: ['compose.yaml'],
  full: ['compose.full.yaml'],
  observability: ['compose.observability.yaml'],
} as const;

const duration = z.string().regex(/^\d+(ms|s|m)$/);
const memory = z.string().regex(/^\d+[mg]$/);
const scalars = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));

const healthcheck = z.strictObject({
  disable: z.literal(true).optional(),
  test: z.tuple([z.enum(['CMD', 'CMD-SHELL'])], z.string()).optional(),
  interval: duration.optional(),
  timeout: duration.optional(),
  retries: z.int().optional(),
  start_period: duration.optional(),
  start_interval: duration.optional(),
});

/** The part of the Compose Specification that the files use; any other key is an error. */
const serviceSchema = z.strictObject({
  image: z.string().optional(),
  build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
  extends: z.strictObject({ file: z.string(), service: z.string() }).optional(),
  command: z.array(z.string()).optional(),
  entrypoint: z.array(z.string()).optional(),
  environment: scalars.optional(),
  profiles: z.array(z.string()).optional(),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({ condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']) }),
    )
    .optional(),
  ports: z.array(z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  tmpfs: z.array(z.string()).optional(),
  healthcheck: healthcheck.optional(),
  init: z.boolean().optional(),
  user: z.string().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  network_mode: z.string().optional(),
  mem_limit: memory.optional(),
  shm_size: memory.optional(),
  stop_grace_period: duration.optional(),
  restart: z.enum(['no', 'unless-stopped']).optional(),
});

const fileSchema = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()).optional(),
});

/** A service of a compose file, with what it extends. */
export type ComposeService = z.infer<typeof serviceSchema>;

/** A compose file. */
export interface ComposeFile {
  readonly name: string;
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: readonly string[];
}

/** Reads a file of `deployments`. Throws if it has a key that the schema lacks. */
export function readCompose(file: string): ComposeFile {
  const text = readFileSync(join(root, 'deployments', file), 'utf8');
  const given = parse(text, { merge: true }) as Record<string, unknown>;
  const { name, services, volumes } = fileSchema.parse(
    Object.fromEntries(Object.entries(given).filter(([key]) => !key.startsWith('x-'))),
  );
  const whole = Object.entries(services).map(([key, { extends: base, ...own }]): [string, ComposeService] => [
    key,
    base === undefined ? own : { ...readCompose(base.file).services[base.service], ...own },
  ]);
  return { name, services: Object.fromEntries(whole), volumes: Object.keys(volumes ?? {}) };
}
