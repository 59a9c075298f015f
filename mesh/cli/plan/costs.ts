import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CommandError } from '../command.ts';

/** Kinds of requests that the table distinguishes. */
export const kinds = ['cached', 'generated'] as const;

/** `cached`: an answer from the cache; `generated`: one that is searched for and written. */
export type Kind = (typeof kinds)[number];

const perKind = z.record(z.enum(kinds), z.number().nonnegative());

const topologySchema = z.record(
  z.string(),
  z.object({
    /** CPU of all its threads for one request, in milliseconds. */
    cpu_ms: perKind,
    /** Resident memory under load, in MiB. */
    memory_mb: z.number().positive(),
  }),
);

const costsSchema = z.object({
  measured: z.object({ on: z.string(), node: z.string(), cpu: z.string(), cores: z.number(), callers: z.number() }),
  /** Costs of each process, by topology and name. */
  topologies: z.record(z.enum(['grouped', 'services']), topologySchema),
  /** Time to the first text for one caller on an idle mesh, in milliseconds; a model that writes adds its own. */
  first_text_ms: z.record(z.enum(['grouped', 'services']), perKind),
  postgres: z.object({ transactions: perKind, cpu_ms: perKind }),
  redis: z.object({ commands: perKind, cpu_ms: perKind }),
});

/** What requests cost, as `npm run bench -- capacity` measured it. */
export type Costs = z.infer<typeof costsSchema>;

/** A way to spread the services over processes: `grouped` has the online services in one, `services` each in its own. */
export type Topology = keyof Costs['topologies'];

/** File with the table that belongs to this version. */
export const costsPath = new URL('../../../deployments/capacity/costs.json', import.meta.url);

/** Reads a table of costs. Throws CommandError if there is none or it is not one. */
export function readCosts(path: string | URL = costsPath): Costs {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new CommandError(`${path}: there is no such file; npm run bench -- capacity writes one`);
  }
  const parsed = costsSchema.safeParse(parseJson(text));
  if (!parsed.success) throw new CommandError(`${path} is not a table of costs: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
