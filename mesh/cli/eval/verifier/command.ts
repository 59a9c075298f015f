import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type CommandContext, CommandError, printJson } from '../../command.ts';
import { parseFlags } from '../../flags.ts';
import { measureVerifier, type VerifierFigures, type VerifyClaim } from './measure.ts';
import { readClaimSets } from './sets.ts';

const help = `npm run eval -- verifier <folder> [options]

Measures the check of written sentences against their passages, without a model, on public sets that you have: *uhgeval*.jsonl (Chinese
phrases), *expertqa*.jsonl (English claims), a folder faithbench with batch_*.json (English sentences). Needs no server.
Exit code: 0; 3 if a set is significantly worse than the baseline.

  --baseline <file>        compare with the figures in this file
  --write-baseline <file>  write the figures to this file
  --json                   print one line of JSON
  -h, --help               print this help
`;

/** Figures of an earlier run, by set. */
export type VerifierBaseline = Record<string, { auc: number; falseAlarms: number }>;

/** Creates the command `npm run eval -- verifier`. Resolves to 3 if a set is significantly worse than the baseline. */
export function createEvaluateVerifier(verify: VerifyClaim) {
  return async ({ args }: Pick<CommandContext, 'args'>): Promise<number> => {
    const { values, positionals } = parseFlags({
      args,
      allowPositionals: true,
      options: {
        baseline: { type: 'string' },
        'write-baseline': { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    const [folder] = positionals;
    if (folder === undefined) throw new CommandError('name the folder of the sets: npm run eval -- verifier <folder>');
    const before = values.baseline === undefined ? undefined : readBaseline(values.baseline);
    const figures: Record<string, VerifierFigures> = {};
    for (const set of readClaimSets(folder)) figures[set.name] = await measureVerifier(set, verify);
    const kept = values['write-baseline'];
    if (kept !== undefined) writeFileSync(kept, `${JSON.stringify(toBaseline(figures), undefined, 2)}\n`);
    const worse = before === undefined ? [] : worseThan(before, figures);
    if (values.json) printJson({ figures, worse });
    else process.stdout.write(describe(figures, worse));
    return worse.length > 0 ? 3 : 0;
  };
}

function readBaseline(path: string): VerifierBaseline {
  if (!existsSync(path)) throw new CommandError(`${path} does not exist: write it with --write-baseline`);
  return JSON.parse(readFileSync(path, 'utf8')) as VerifierBaseline;
}

function toBaseline(figures: Record<string, VerifierFigures>): VerifierBaseline {
  const rounded = (value: number) => Number(value.toFixed(4));
  return Object.fromEntries(
    Object.entries(figures).map(([name, { auc, falseAlarms }]) => [
      name,
      { auc: rounded(auc.mean), falseAlarms: rounded(falseAlarms) },
    ]),
  );
}

/** Names of the sets whose whole interval is below the baseline, or on which a hundredth more of the supported claims raise an alarm. */
export function worseThan(before: VerifierBaseline, figures: Record<string, VerifierFigures>): string[] {
  return Object.entries(figures).flatMap(([name, { auc, falseAlarms }]) => {
    const earlier = before[name];
    if (earlier === undefined) return [];
    return auc.high < earlier.auc || falseAlarms > earlier.falseAlarms + 0.01 ? [name] : [];
  });
}

function describe(figures: Record<string, VerifierFigures>, worse: readonly string[]): string {
  const rows = Object.entries(figures).map(([name, { claimCount, auc, falseAlarms, foundAlarms, cpuUs }]) => {
    const area = `AUC ${auc.mean.toFixed(3)} [${auc.low.toFixed(3)}, ${auc.high.toFixed(3)}]`;
    const alarms = `number alarm: ${percent(falseAlarms)} of the supported, ${percent(foundAlarms)} of the others`;
    return `  ${name.padEnd(12)}${String(claimCount).padStart(6)}  ${area}  ${alarms}  ${cpuUs.toFixed(0)} µs`;
  });
  const lines = ['verifier without a model (95 % intervals in brackets)', ...rows];
  if (worse.length > 0) lines.push(`WORSE than the baseline: ${worse.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
