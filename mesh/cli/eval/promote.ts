import { toJson } from '@bufbuild/protobuf';
import { IndexerService, JobSchema, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type GateReport, VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { connectMesh } from '../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../flags.ts';
import { followJob } from '../ingest.ts';
import { createProgress } from '../progress.ts';

const help = `npm run eval -- promote --corpus <name>

Runs the gate of a corpus on its held version again, in the service. The version becomes live if it passes.
Exit code: 0 if it is live; 3 if it is held; 1 if there is no held version or the job failed.

  --corpus <name>    the corpus
${connectionHelp}`;

/** Runs `npm run eval -- promote`. Resolves to 0 if the version is live, 3 if it is held. */
export async function promote(context: CommandContext): Promise<number> {
  const { values } = parseFlags({ args: context.args, options: { corpus: { type: 'string' }, ...connectionFlags } });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (!values.corpus) throw new CommandError(`--corpus is needed\n\n${help}`);
  await using mesh = await connectMesh(context, values);
  const gate = mesh.client(VersionGateService);
  const { versions } = await gate.listHeldVersions({ corpus: values.corpus, pageSize: 1 });
  const [held] = versions;
  if (held === undefined) throw new CommandError(`the corpus ${values.corpus} has no held version`);
  await gate.checkVersion({ jobId: held.jobId });
  const job = await followJob(mesh.client(IndexerService), held.jobId, createProgress());
  const isHeld = job.state === JobState.HELD;
  if (!isHeld && job.state !== JobState.SUCCEEDED) throw new CommandError(`the job did not end well: ${job.error}`);
  if (values.json) printJson({ job: toJson(JobSchema, job) });
  else process.stdout.write(`${isHeld ? 'held' : 'passed'}\n${describeReport(job.gate)}`);
  return isHeld ? 3 : 0;
}

/** Returns the findings of a gate and the questions that became worse, one in each line. */
export function describeReport(report: GateReport | undefined): string {
  if (report === undefined) return '';
  const { checks, figures, worseQuestions, worseCount, betterCount } = report;
  const lines = [
    ...checks.map(({ passed, finding }) => `  ${passed ? 'passed' : 'failed'}: ${finding}`),
    ...figures.map(
      ({ dataSet, name, live, checked }) => `  ${dataSet} ${name}: ${live.toFixed(3)} live, ${checked.toFixed(3)} now`,
    ),
    ...(worseCount + betterCount > 0 ? [`  ${worseCount} questions worse, ${betterCount} better`] : []),
    ...worseQuestions.map(({ text, live, checked }) => `    ${live.toFixed(2)} → ${checked.toFixed(2)}  ${text}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
