import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort, isReady, startTestServer } from '#kit/testing/server.ts';
import { fuzzParsers } from '../../../../services/indexer/testing/parser-fuzz/fuzz-parsers.ts';
import { services } from '../../../run.ts';
import { describeFault, edgeRequests, fuzz } from './fuzz.ts';
import { knownValues } from './known-values.ts';

// `npm run fuzz`: a mesh in a process of its own, and requests made from its contracts.

const help = `npm run fuzz -- [parsers] [--cases n] [--seed n] [--concurrency n]

Starts a mesh with the sample on loopback and sends it requests made from its contracts, by every protocol, half of them damaged. Fails if a
request makes the server fail, waits without end, or leaves a call open, or if the server's memory grows without bound.

With "parsers": damages valid files of every format by their structure and parses them as the indexer does. Fails if a file ends otherwise than
read or with a typed failure, or takes longer than its limits.

  --cases <n>        requests or files; default: 100000
  --seed <n>         makes the same requests again; default: a random one, which is printed
  --concurrency <n>  requests at the same time; default: 16
`;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string' },
    concurrency: { type: 'string', default: '16' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

/** A reply that takes longer is none. */
const timeoutMs = 60_000;
/** Largest resident memory of the server, in bytes. */
const maxRssBytes = 1.5 * 2 ** 30;
/** Growth of resident memory over the second half that is no leak: caches and stores fill. */
const maxGrowthBytes = 400 * 2 ** 20;

async function run(): Promise<number> {
  const count = Number(values.cases);
  const seed = values.seed === undefined ? randomInt(2 ** 31 - 1) : Number(values.seed);
  const adminPort = await freePort();
  const edgePort = await freePort();
  const config = {
    admin: { port: adminPort },
    grpc: { port: 0 },
    edge: {
      port: edgePort,
      tenant_requests_per_second: 100_000,
      tenant_burst: 100_000,
      user_requests_per_second: 100_000,
      user_burst: 100_000,
      user_max_concurrent: 1000,
    },
  };
  await using server = await startTestServer({
    command: process.execPath,
    port: adminPort,
    startTimeoutMs: 120_000,
    args(_, folder) {
      const path = join(folder, 'ragmesh.yaml');
      writeFileSync(path, JSON.stringify({ ...config, data_dir: join(folder, 'data') }));
      return [fileURLToPath(new URL('../../../run.ts', import.meta.url)), '--config', path];
    },
    isReady,
  });
  const keys = JSON.parse(readFileSync(join(server.folder, 'data/edge/dev-keys.json'), 'utf8')) as { dev: string };
  const metric = async (name: string) => {
    const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? 'NaN');
  };
  process.stdout.write(`seed ${seed}, ${count} requests\n`);
  const startedAt = performance.now();
  let halfRss = 0;
  let peakRss = 0;
  let nextLine = 0;
  const report = await fuzz(`http://127.0.0.1:${edgePort}`, edgeRequests(services, knownValues, keys.dev), {
    count,
    seed,
    concurrency: Number(values.concurrency),
    timeoutMs,
    onFault: (fault) => process.stdout.write(`${describeFault(fault)}\n`),
    async progress({ count: done, faultCount }) {
      if (done < nextLine && done < count) return;
      nextLine += Math.max(200, Math.floor(count / 50));
      const rss = await metric('process_resident_memory_bytes');
      peakRss = Math.max(peakRss, rss);
      if (done >= count / 2 && halfRss === 0) halfRss = rss;
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      process.stdout.write(`${done} requests, ${faultCount} faults, ${seconds} s, ${Math.round(rss / 2 ** 20)} MiB\n`);
    },
  });
  const problems = report.faultCount === 0 ? [] : [`${report.faultCount} faults, shown above`];
  const openCount = await settled(() => metric('ragmesh_calls_open'));
  if (openCount !== 0) problems.push(`${openCount} calls are open after the last reply`);
  const endRss = await metric('process_resident_memory_bytes');
  if (peakRss > maxRssBytes) problems.push(`the server held ${Math.round(peakRss / 2 ** 20)} MiB`);
  if (endRss - halfRss > maxGrowthBytes)
    problems.push(`memory grew from ${halfRss} to ${endRss} bytes in the second half`);
  const codes = [...report.codes].sort(([, a], [, b]) => b - a).map(([code, times]) => `  ${code} ${times}\n`);
  const slowest = [...report.slowestMs].sort(([, a], [, b]) => b - a).slice(0, 8);
  process.stdout.write(
    `${problems.join('\n\n')}\n${report.count} requests, ${report.faultCount} faults, seed ${seed}\n`,
  );
  process.stdout.write(
    `memory: ${Math.round(halfRss / 2 ** 20)} MiB at half, ${Math.round(endRss / 2 ** 20)} at the end, `,
  );
  process.stdout.write(`${Math.round(peakRss / 2 ** 20)} at most\nended with\n${codes.join('')}slowest\n`);
  process.stdout.write(slowest.map(([name, ms]) => `  ${name} ${Math.round(ms)} ms\n`).join(''));
  return problems.length === 0 ? 0 : 1;
}

async function runParsers(): Promise<number> {
  const count = Number(values.cases);
  const seed = values.seed === undefined ? randomInt(2 ** 31 - 1) : Number(values.seed);
  process.stdout.write(`seed ${seed}, ${count} files\n`);
  const report = await fuzzParsers({
    ...{ count, seed, concurrency: Number(values.concurrency) },
    progress({ count: done, faultCount }) {
      if (done % 1000 !== 0) return;
      const rss = Math.round(process.memoryUsage.rss() / 2 ** 20);
      process.stdout.write(`${done} files, ${faultCount} faults, ${rss} MiB\n`);
    },
  });
  for (const { parser, fault, base64 } of report.faults) process.stdout.write(`${parser}: ${fault}\n  ${base64}\n`);
  for (const [parser, slowestMs] of report.slowestMs) {
    const read = report.readCount.get(parser) ?? 0;
    const refused = report.refusedCount.get(parser) ?? 0;
    process.stdout.write(`  ${parser}: ${read} read, ${refused} refused, at most ${Math.round(slowestMs)} ms\n`);
  }
  process.stdout.write(`${report.count} files, ${report.faultCount} faults, seed ${seed}\n`);
  return report.faultCount === 0 ? 0 : 1;
}

/** Calls that clients have left end within their deadlines. */
async function settled(read: () => Promise<number>): Promise<number> {
  let value = await read();
  for (let attempt = 0; attempt < 100 && value !== 0; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    value = await read();
  }
  return value;
}

if (values.help) process.stdout.write(help);
else process.exitCode = await (positionals[0] === 'parsers' ? runParsers() : run());
