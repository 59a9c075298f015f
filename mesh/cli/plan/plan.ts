import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { commonFlags, localHelp, parseFlags } from '../flags.ts';
import { createProgress } from '../progress.ts';
import { planCapacity } from './capacity.ts';
import { readCosts, type Topology } from './costs.ts';
import { describePlan } from './report.ts';
import { type Day, type Simulated, scenarios, simulateDay } from './simulate.ts';
import type { Workload } from './workload.ts';

/** A number among the flags: its default, its bounds and what it is. */
interface Quantity {
  standard: number;
  min: number;
  max: number;
  text: string;
}

const quantities = {
  rps: { standard: 5000, min: 0.1, max: 1e6, text: 'most requests a second, all regions together' },
  'per-day': { standard: 30e6, min: 1, max: 1e11, text: 'requests a day' },
  'hit-rate': { standard: 0.6, min: 0, max: 1, text: 'share of requests that the cache answers' },
  regions: { standard: 2, min: 1, max: 16, text: 'regions' },
  'first-token-ms': { standard: 800, min: 1, max: 60_000, text: 'time to the first text to keep, for 99 of 100' },
  utilization: { standard: 0.6, min: 0.1, max: 0.95, text: 'share of its CPU that a replica uses at the peak' },
  cores: { standard: 1, min: 0.5, max: 64, text: 'CPU cores of a replica' },
  'provider-first-token-ms': { standard: 300, min: 1, max: 60_000, text: "the model's median time to its first token" },
  'provider-spread': { standard: 0.3, min: 0, max: 2, text: 'standard deviation of its logarithm' },
  'provider-tokens-per-second': { standard: 60, min: 1, max: 10_000, text: 'tokens a second of one completion' },
  'provider-concurrent': {
    standard: 0,
    min: 0,
    max: 1e7,
    text: 'completions it runs concurrently; 0: what the peak needs, and a fifth more',
  },
  'prompt-tokens': { standard: 2500, min: 1, max: 1e6, text: 'tokens of a prompt' },
  'completion-tokens': { standard: 200, min: 1, max: 1e5, text: 'tokens of a completion' },
  'prompt-price': { standard: 0.4, min: 0, max: 1e4, text: 'price of a million tokens of prompts' },
  'completion-price': { standard: 1.2, min: 0, max: 1e4, text: 'price of a million tokens of completions' },
  seed: { standard: 1, min: 0, max: 2 ** 31, text: 'the same seed gives the same days' },
} as const satisfies Record<string, Quantity>;

type QuantityName = keyof typeof quantities;

const help = `npm run plan -- [--rps 5000] [--hit-rate 0.6] [--regions 2] …

Computes what a workload needs: replicas, cores, memory, load of PostgreSQL and Redis, the provider's tokens and money. Then it
simulates days with autoscaling: a normal one, one that loses a region at the peak, one with a slow provider, and one whose cache is
flushed. Costs of requests were measured (npm run bench -- capacity); the report says what is assumed.

${Object.entries(quantities)
  .map(([name, { standard, text }]) => `  ${`--${name} <number>`.padEnd(40)} ${text}; default: ${standard}\n`)
  .join(
    '',
  )}  --topology <grouped|services>            grouped: the online services share a process; services: each has its own;
                                           default: grouped
  --without-reserve                        no region must carry the load of a lost one
  --costs <file>                           a table of costs; default: the one of this version
  --no-simulation                          only the capacity
${localHelp}`;

/** Runs `npm run plan`. */
export async function plan(context: CommandContext): Promise<number> {
  const numbers = Object.fromEntries(Object.keys(quantities).map((name) => [name, { type: 'string' }])) as Record<
    QuantityName,
    { type: 'string' }
  >;
  const { values } = parseFlags({
    args: context.args,
    options: {
      ...numbers,
      topology: { type: 'string', default: 'grouped' },
      'without-reserve': { type: 'boolean', default: false },
      costs: { type: 'string' },
      'no-simulation': { type: 'boolean', default: false },
      ...commonFlags,
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const given = (name: QuantityName) => toNumber(name, values[name] as string | undefined);
  const { topology } = values;
  if (!isTopology(topology)) throw new CommandError(`--topology is "${topology}": allowed are grouped and services`);
  const workload = workloadOf(given, !values['without-reserve']);
  const costs = readCosts(values.costs);
  const capacity = planCapacity(workload, costs, topology);
  if (workload.provider.maxConcurrent === 0) {
    workload.provider.maxConcurrent = Math.max(1, Math.ceil(capacity.provider.concurrent * 1.2));
  }
  const days = values['no-simulation'] ? [] : simulateDays({ workload, costs, topology, capacity }, given('seed'));
  if (values.json) printJson({ topology, workload, capacity, days, costs: costs.measured });
  else process.stdout.write(describePlan(topology, workload, costs, capacity, days));
  return 0;
}

function simulateDays(simulated: Simulated, seed: number): Day[] {
  const progress = createProgress();
  const possible = scenarios.filter(({ fault }) => fault !== 'region lost' || simulated.workload.regionCount > 1);
  try {
    return possible.map((scenario, at) => {
      progress.update(at, possible.length, scenario.name);
      return simulateDay(simulated, scenario, seededRandom(seed + at));
    });
  } catch (error) {
    if (error instanceof RangeError) throw new CommandError(`--per-day does not fit --rps: ${error.message}`);
    throw error;
  } finally {
    progress.end();
  }
}

function workloadOf(given: (name: QuantityName) => number, survivesRegion: boolean): Workload {
  const regionCount = given('regions');
  if (!Number.isInteger(regionCount)) throw new CommandError(`--regions is ${regionCount}: it must be a whole number`);
  return {
    peakPerSecond: given('rps'),
    perDay: given('per-day'),
    hitRate: given('hit-rate'),
    regionCount,
    survivesRegion: survivesRegion && regionCount > 1,
    firstTextMs: given('first-token-ms'),
    targetUtilization: given('utilization'),
    coresPerReplica: given('cores'),
    provider: {
      firstTokenMs: given('provider-first-token-ms'),
      spread: given('provider-spread'),
      tokensPerSecond: given('provider-tokens-per-second'),
      promptTokens: given('prompt-tokens'),
      completionTokens: given('completion-tokens'),
      maxConcurrent: given('provider-concurrent'),
      promptPrice: given('prompt-price'),
      completionPrice: given('completion-price'),
    },
  };
}

function toNumber(name: QuantityName, text: string | undefined): number {
  const { standard, min, max } = quantities[name];
  const value = text === undefined ? standard : Number(text.trim() === '' ? Number.NaN : text);
  if (!(value >= min && value <= max)) {
    throw new CommandError(`--${name} is "${text}": allowed are numbers from ${min} to ${max}`);
  }
  return value;
}

const isTopology = (name: string): name is Topology => name === 'grouped' || name === 'services';
