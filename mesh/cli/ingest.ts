import { parseArgs } from 'node:util';
import type { Client } from '@connectrpc/connect';
import { IndexerService, type Job, JobPhase, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type CommandContext, CommandError, connectMesh } from './connect.ts';
import { createProgress, type Progress } from './progress.ts';
import { findFiles, type UploadFile, uploadMessages } from './upload.ts';

const help = `npm run ingest -- <path…> --corpus <name> [--delete-missing]

Takes files (Markdown, HTML, CSV, JSON Lines, plain text), or folders of them, into a corpus.
Only what changed is indexed; the live index switches when all of it is ready.

  --corpus <name>    the corpus, made where it does not exist
  --delete-missing   documents of the corpus that these paths do not hold are removed
`;

/** `npm run ingest`. Exit code 0 where every document was taken, 2 where some were not. */
export async function ingest(context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: context.args,
    allowPositionals: true,
    options: {
      corpus: { type: 'string' },
      'delete-missing': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length === 0 || values.corpus === undefined)
    throw new CommandError(`a path and --corpus are needed\n\n${help}`);
  const { files, skippedCount } = await findFiles(positionals);
  if (skippedCount > 0) process.stderr.write(`${skippedCount} files of other kinds are left out\n`);
  await using mesh = await connectMesh(context);
  const indexer = mesh.client(IndexerService);
  const startedAt = performance.now();
  const job = await ingestFiles(indexer, values.corpus, files, createProgress(), values['delete-missing']);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${summary(job)} in ${seconds} s\n`);
  if (job.state !== JobState.SUCCEEDED) throw new CommandError(`the job failed: ${job.error}`);
  return (await printFailures(indexer, job)) ? 2 : 0;
}

/** Uploads files, follows the job to its end, and shows both. */
export async function ingestFiles(
  indexer: Client<typeof IndexerService>,
  corpus: string,
  files: readonly UploadFile[],
  progress: Progress,
  deleteMissing = false,
): Promise<Job> {
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const counted = async function* () {
    let sent = 0;
    for await (const message of uploadMessages(corpus, files, { deleteMissing })) {
      if (message.part.case === 'data') sent += message.part.value.byteLength;
      progress.update(sent, total, `uploading ${megabytes(sent)} of ${megabytes(total)} MB`);
      yield message;
    }
  };
  const { jobId } = await indexer.ingestDocuments(counted());
  let last: Job | undefined;
  for await (const { job } of indexer.watchJob({ jobId })) {
    if (job === undefined) continue;
    last = job;
    const { done, of, label } = stateOf(job);
    progress.update(done, of, label);
  }
  progress.end();
  if (last === undefined) throw new CommandError(`the job ${jobId} ended without a word; see npm run ingest again`);
  return last;
}

function stateOf(job: Job): { done: number; of: number; label: string } {
  const progress = job.progress;
  const read = Number(progress?.readBytes ?? 0);
  const total = Number(progress?.totalBytes ?? 0);
  const indexed = Number(progress?.indexedCount ?? 0) + Number(progress?.unchangedCount ?? 0);
  const documents = Number(progress?.documentCount ?? 0);
  if (job.state === JobState.QUEUED)
    return { done: 0, of: total, label: job.error ? `waits: ${job.error}` : 'waits for its turn' };
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
    [Number(progress?.failedCount ?? 0), 'not taken'],
  ] as const;
  const counts = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  const nothing = Number(progress?.indexedCount ?? 0) + Number(progress?.removedCount ?? 0) === 0;
  return `${documents} documents: ${counts.join(', ') || 'none'}${nothing ? ' — nothing changed' : ''}`;
}

async function printFailures(indexer: Client<typeof IndexerService>, job: Job): Promise<boolean> {
  if (Number(job.progress?.failedCount ?? 0) === 0) return false;
  const { failures, nextPageToken } = await indexer.listFailures({ jobId: job.jobId, pageSize: 20 });
  for (const { path, line, reason, message } of failures) {
    process.stderr.write(`  ${path}${line > 0n ? `:${line}` : ''} ${reason}: ${message}\n`);
  }
  if (nextPageToken !== '') process.stderr.write('  … and more\n');
  return true;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
