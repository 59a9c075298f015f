import { appendFileSync } from 'node:fs';
import { sleep } from '#kit/base/streams.ts';
import { type LogLine, openBenchJobs, type QueueChoice, startBenchWorker } from './job-bench.ts';

// Runs a worker in a child process that tests kill.

const { path, logPath, choice } = JSON.parse(process.argv[2] ?? '') as {
  path: string;
  logPath: string;
  choice: QueueChoice;
};
const { jobs } = await openBenchJobs(path);
const write = (line: LogLine) => appendFileSync(logPath, `${JSON.stringify(line)}\n`);
await startBenchWorker(choice, jobs, async ({ job, signal, save }) => {
  write({ what: 'begin', jobId: job.jobId });
  await sleep(150, signal);
  // Only the holder of the lease passes.
  await save({});
  write({ what: 'end', jobId: job.jobId });
});
