import {
  type Check,
  CheckKindSchema,
  type DiagnoseResponse,
  EvaluationService,
  Verdict,
  VerdictSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { type CommandContext, CommandError, printJson } from './command.ts';
import { connectMesh } from './connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from './flags.ts';

const help = `npm run doctor -- [--window 60]

Checks a running mesh by its metrics and configuration: hit rate of the cache, size of the retrieved context, share of expensive
models, batching, cold starts, limits of providers, histories, chunk sizes, rerank, and timeouts, retries and circuit breakers. Each
check has its finding, the figures behind it, and what to change. Needs the key of an operator of evaluation.platform_tenants; a mesh
of several processes needs evaluation.metrics_urls.
Exit code: 0, or 1 if a check says that users notice it.

  --window <seconds>  watch the mesh for this time; default: all that has happened since its processes began
${connectionHelp}`;

const maxWindowSeconds = 300;

/** Runs `npm run doctor`. Resolves to 1 if a verdict is bad. */
export async function doctor(context: CommandContext): Promise<number> {
  const { values } = parseFlags({
    args: context.args,
    options: { window: { type: 'string', default: '0' }, ...connectionFlags },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const windowSeconds = Number(values.window);
  if (!Number.isInteger(windowSeconds) || windowSeconds < 0 || windowSeconds > maxWindowSeconds) {
    throw new CommandError(`--window is "${values.window}": seconds from 0 to ${maxWindowSeconds} are needed`);
  }
  await using mesh = await connectMesh(context, values);
  if (windowSeconds > 0) process.stderr.write(`watching for ${windowSeconds} seconds …\n`);
  const response = await mesh.client(EvaluationService).diagnose({ windowSeconds });
  if (values.json) printJson(toJson(response));
  else process.stdout.write(describe(response));
  return response.checks.some(({ verdict }) => verdict === Verdict.BAD) ? 1 : 0;
}

const nameOf = ({ kind }: Check): string => enumName(CheckKindSchema, kind).toLowerCase().replaceAll('_', ' ');

const marks: Readonly<Record<Verdict, string>> = {
  [Verdict.UNSPECIFIED]: '?',
  [Verdict.GOOD]: 'good',
  [Verdict.IMPROVE]: 'improve',
  [Verdict.BAD]: 'BAD',
  [Verdict.UNKNOWN]: 'unknown',
};

function describe({ checks, sourceCount, unreachableSources }: DiagnoseResponse): string {
  const lines = checks.flatMap((check) => {
    const evidence = check.evidence.map(({ name, value, unit }) => `${name} ${shown(value)}${unit && ` ${unit}`}`);
    return [
      `${(marks[check.verdict] ?? '?').padEnd(8)} ${nameOf(check).padEnd(16)} ${check.finding}`,
      ...(evidence.length > 0 && check.verdict !== Verdict.UNKNOWN ? [`${' '.repeat(26)}${evidence.join(', ')}`] : []),
      ...(check.advice === '' ? [] : [`${' '.repeat(26)}→ ${check.advice}`]),
    ];
  });
  const missing = unreachableSources.map((url) => `could not read ${url}: what is there is not in the checks\n`);
  return `${lines.join('\n')}\n${missing.join('')}metrics of ${sourceCount} page${sourceCount === 1 ? '' : 's'}\n`;
}

const shown = (value: number): string =>
  Number.isFinite(value) ? value.toLocaleString('en', { maximumFractionDigits: 1 }) : value > 0 ? 'more' : 'none';

function toJson({ checks, sourceCount, unreachableSources }: DiagnoseResponse): object {
  return {
    checks: checks.map((check) => ({
      check: nameOf(check),
      verdict: enumName(VerdictSchema, check.verdict).toLowerCase(),
      finding: check.finding,
      evidence: check.evidence.map(({ name, value, unit }) => ({ name, value, unit })),
      advice: check.advice,
    })),
    sources: sourceCount,
    unreachable_sources: unreachableSources,
  };
}
