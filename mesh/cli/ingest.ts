import { toJson } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import {
  type Failure,
  FailureSchema,
  IndexerService,
  type Job,
  JobPhase,
  JobSchema,
  JobState,
} from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type CommandContext, CommandError, printJson } from './command.ts';
import { connectMesh } from './connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from './flags.ts';
import { createProgress, type Progress } from './progress.ts';
import { findFiles, type LeftOut, type UploadFile, type UploadOptions, uploadMessages } from './upload/upload.ts';

const help = `npm run ingest -- <path…> --corpus <name> [--delete-missing]

Indexes files (PDF, Office, OpenDocument, Markdown, HTML, text, tables, JSON, books, mail, ZIP), or folders of them, in a corpus. Only
what changed is indexed; searches see the new version when all of it is ready. A file of another kind is left out and named;
images, which need OCR, are uploaded only if you name them.
Exit code: 0; 2 if a document failed or a file that you named was left out; 1 if nothing could be indexed.

  --corpus <name>    the corpus; it is created if it does not exist
  --delete-missing   remove documents of the corpus that are not under these paths
  --columns <list>   what columns of tables mean, such as "Betreff=title,Inhalt=text"; "1=question,2=text" in tables without names
  --password <word>  of encrypted files, such as PDFs
  --charset <name>   encoding of text files, such as gbk, if it cannot be found by their bytes
${connectionHelp}`;

/** Files left out of folders that are printed by name. */
const maxNamed = 20;

/** Runs `npm run ingest`. Resolves to 0 if every document and every named file was indexed, else 2. */
export async function ingest(context: CommandContext): Promise<number> {
  const { values, positionals } = parseFlags({
    args: context.args,
    allowPositionals: true,
    options: {
      corpus: { type: 'string' },
      'delete-missing': { type: 'boolean', default: false },
      columns: { type: 'string' },
      charset: { type: 'string' },
      password: { type: 'string' },
      ...connectionFlags,
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length === 0 || values.corpus === undefined)
    throw new CommandError(`a path and --corpus are needed\n\n${help}`);
  const { files, leftOut } = await findFiles(positionals);
  printLeftOut(leftOut);
  await using mesh = await connectMesh(context, values);
  const indexer = mesh.client(IndexerService);
  const startedAt = performance.now();
  const job = await ingestFiles(indexer, values.corpus, files, createProgress(), {
    deleteMissing: values['delete-missing'],
    ...(values.columns !== undefined && { columns: parseColumns(values.columns) }),
    ...(values.charset !== undefined && { charset: values.charset }),
    ...(values.password !== undefined && { password: values.password }),
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const failures = job.state === JobState.SUCCEEDED ? await readFailures(indexer, job) : [];
  if (values.json) {
    const failed = failures.map((failure) => toJson(FailureSchema, failure));
    printJson({ job: toJson(JobSchema, job), failures: failed, left_out: leftOut });
  } else process.stdout.write(`${summary(job)} in ${seconds} s\n`);
  if (job.state === JobState.HELD) throw new CommandError(heldMessage(job));
  if (job.state !== JobState.SUCCEEDED) throw new CommandError(`the job failed: ${job.error}`);
  printFailures(failures, job);
  await printNotes(indexer, job);
  return failures.length > 0 || leftOut.some(({ isNamed }) => isNamed) ? 2 : 0;
}

const reindexHelp = `npm run reindex -- --corpus <name>

Embeds all documents of a corpus again, with the first model of embedding.models, into a new version. The live version serves meanwhile:
keep its model in the list until the command has ended. The job runs in the service: if the command is interrupted, it continues.

  --corpus <name>    the corpus
${connectionHelp}`;

/** Runs `npm run reindex`. Resolves to 0 if the new version is live, else 2. */
export async function reindex(context: CommandContext): Promise<number> {
  const { values } = parseFlags({ args: context.args, options: { corpus: { type: 'string' }, ...connectionFlags } });
  if (values.help) {
    process.stdout.write(reindexHelp);
    return 0;
  }
  if (values.corpus === undefined) throw new CommandError(`--corpus is needed\n\n${reindexHelp}`);
  await using mesh = await connectMesh(context, values);
  const indexer = mesh.client(IndexerService);
  const { jobId } = await indexer.reindexCorpus({ corpus: values.corpus });
  const job = await followJob(indexer, jobId, createProgress());
  if (values.json) printJson({ job: toJson(JobSchema, job) });
  else process.stdout.write(`${summary(job)}\n`);
  if (job.state === JobState.HELD) throw new CommandError(heldMessage(job));
  if (job.state !== JobState.SUCCEEDED) throw new CommandError(`the job failed: ${job.error}`);
  const failures = await readFailures(indexer, job);
  printFailures(failures, job);
  return failures.length > 0 ? 2 : 0;
}

/** Prints each file that is left out, with the reason: first those that were named, then those of folders. */
function printLeftOut(leftOut: readonly LeftOut[]): void {
  const shown = leftOut.filter(({ isNamed }, index) => isNamed || index < maxNamed);
  for (const { file, reason } of shown) process.stderr.write(`left out: ${file} (${reason})\n`);
  const others = leftOut.length - shown.length;
  if (others > 0) process.stderr.write(`left out: ${others} more files\n`);
}

/** Uploads files and follows the job to its end, with a progress line. Returns the finished job. */
export async function ingestFiles(
  indexer: Client<typeof IndexerService>,
  corpus: string,
  files: readonly UploadFile[],
  progress: Progress,
  options: UploadOptions = {},
): Promise<Job> {
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const counted = async function* () {
    let sent = 0;
    for await (const message of uploadMessages(corpus, files, options)) {
      if (message.part.case === 'data') sent += message.part.value.byteLength;
      progress.update(sent, total, `uploading ${megabytes(sent)} of ${megabytes(total)} MB`);
      yield message;
    }
  };
  const { jobId } = await indexer.ingestDocuments(counted());
  return followJob(indexer, jobId, progress);
}

/** Follows a job to its end, or until it is held, with a progress line. */
export async function followJob(
  indexer: Client<typeof IndexerService>,
  jobId: string,
  progress: Progress,
): Promise<Job> {
  let last: Job | undefined;
  for await (const { job } of indexer.watchJob({ jobId })) {
    if (job === undefined) continue;
    last = job;
    const { done, of, label } = stateOf(job);
    progress.update(done, of, label);
  }
  progress.end();
  if (last === undefined) throw new CommandError(`the job ${jobId} ended without a result: run the command again`);
  return last;
}

function stateOf(job: Job): { done: number; of: number; label: string } {
  const progress = job.progress;
  const read = Number(progress?.readBytes ?? 0);
  const total = Number(progress?.totalBytes ?? 0);
  const indexed = Number(progress?.indexedCount ?? 0) + Number(progress?.unchangedCount ?? 0);
  const documents = Number(progress?.documentCount ?? 0);
  if (job.state === JobState.QUEUED)
    return { done: 0, of: total, label: job.error ? `queued: ${job.error}` : 'queued' };
  if (job.phase === JobPhase.GATE) return { done: 1, of: 1, label: 'checking the version' };
  if (job.phase === JobPhase.PUBLISH) return { done: 1, of: 1, label: 'publishing' };
  return { done: read, of: total, label: `${indexed} of ${documents} documents` };
}

function summary(job: Job): string {
  const progress = job.progress;
  const documents = Number(progress?.documentCount ?? 0);
  const parts = [
    [Number(progress?.indexedCount ?? 0), 'indexed'],
    [Number(progress?.unchangedCount ?? 0), 'unchanged'],
    [Number(progress?.removedCount ?? 0), 'removed'],
    [Number(progress?.failedCount ?? 0), 'failed'],
  ] as const;
  const counts = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  const nothing = Number(progress?.indexedCount ?? 0) + Number(progress?.removedCount ?? 0) === 0;
  const version = job.state === JobState.HELD ? ' in the held version' : '';
  return `${documents} documents${version}: ${counts.join(', ') || 'none'}${nothing ? ' — nothing changed' : ''}`;
}

function heldMessage({ jobId, gate }: Job): string {
  const findings = gate?.checks.filter(({ passed }) => !passed).map(({ finding }) => `  ${finding}`) ?? [];
  return [
    'the new version did not pass its gate, and the live one stays:',
    ...findings,
    `an operator approves or rejects it (ragmesh.indexer.v1.VersionGateService, job ${jobId}); later jobs of the corpus wait`,
  ].join('\n');
}

/** Returns the first failures of a job. */
async function readFailures(indexer: Client<typeof IndexerService>, job: Job): Promise<Failure[]> {
  if (Number(job.progress?.failedCount ?? 0) === 0) return [];
  const { failures } = await indexer.listFailures({ jobId: job.jobId, pageSize: maxNamed });
  return failures;
}

function printFailures(failures: readonly Failure[], job: Job): void {
  for (const { path, line, reason, message } of failures) {
    process.stderr.write(`  ${path}${line > 0n ? `:${line}` : ''} ${reason}: ${message}\n`);
  }
  const others = Number(job.progress?.failedCount ?? 0) - failures.length;
  if (others > 0) process.stderr.write(`  … and ${others} more\n`);
}

/** Prints what was left out of files or guessed about them. */
async function printNotes(indexer: Client<typeof IndexerService>, job: Job): Promise<void> {
  const count = Number(job.progress?.noteCount ?? 0);
  if (count === 0) return;
  const { notes } = await indexer.listNotes({ jobId: job.jobId, pageSize: maxNamed });
  for (const { path, line, count: parts, message } of notes) {
    const times = parts > 1n ? ` (${parts})` : '';
    process.stderr.write(`  ${path}${line > 0n ? `:${line}` : ''} note: ${message}${times}\n`);
  }
  if (count > notes.length) process.stderr.write(`  … and ${count - notes.length} more notes\n`);
}

/** Returns columns and their meanings of "name=meaning,…". Throws CommandError for anything else. */
function parseColumns(list: string): Record<string, string> {
  const pairs = list.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
  if (pairs.some((pair) => pair.length !== 2 || pair.includes(''))) {
    throw new CommandError(`--columns: "${list}" is not a list such as Betreff=title,Inhalt=text`);
  }
  return Object.fromEntries(pairs as [string, string][]);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
