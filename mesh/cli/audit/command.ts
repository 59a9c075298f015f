import { AuditExportFormat, AuditExportService } from '#gen/ragmesh/audit/v1/audit_export_pb.ts';
import { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { createHttpClient } from '#kit/http/json.ts';
import { isHttpUrl } from '#kit/http/signed-post.ts';
import { type Command, type CommandContext, CommandError } from '../command.ts';
import { connectMesh } from '../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../flags.ts';
import { exportTo } from './export.ts';
import { type BlobTarget, openBlobSink } from './sinks/blob-sink.ts';
import { openFileSink } from './sinks/file-sink.ts';
import { openHttpSink } from './sinks/http-sink.ts';
import type { ExportSink } from './sinks/sink.ts';

const help = `npm run audit -- export --to <target> [options]

Exports the audit of the tenant. A repeated call continues after the last entry that the target has; a kill at any moment repeats nothing and loses
nothing. Needs the role auditor.

  --to <target>       a file, whose last line is the cursor; s3://<bucket>/<prefix>, a blob for each batch; https://<collector>, signed posts of
                      JSON lines; "-", standard output
  --format <name>     json (default), or ocsf: events of OCSF 1.5.0
  --with-hashed-bytes adds what the hashes of the chain cover, to JSON
  --after <sequence>  first cursor of a target that has nothing; default: 0, the first entry
  --follow <seconds>  keep running, and look for new entries so often
  --state <file>      the position, for a collector
  --endpoint <url>    S3-compatible server; default: AWS
  --region <name>     region of S3; default: us-east-1
${connectionHelp}  RAGMESH_AUDIT_SECRET         key of the signature, for a collector
  RAGMESH_AUDIT_AUTHORIZATION  header "authorization" for a collector
  AWS_…              credentials of S3, as the AWS SDK reads them
`;

/** Opens the blobs of a bucket of S3. */
export type OpenS3 = (settings: {
  bucket: string;
  prefix: string;
  endpoint: string;
  region: string;
}) => Promise<BlobTarget>;

/** Creates `npm run audit`. */
export function createAuditCommand(openS3: OpenS3): Command {
  return async (context) => {
    const { values, positionals } = parseFlags({
      args: context.args,
      allowPositionals: true,
      options: {
        to: { type: 'string', default: '' },
        format: { type: 'string', default: 'json' },
        'with-hashed-bytes': { type: 'boolean', default: false },
        after: { type: 'string', default: '0' },
        follow: { type: 'string' },
        state: { type: 'string', default: '' },
        endpoint: { type: 'string', default: '' },
        region: { type: 'string', default: 'us-east-1' },
        ...connectionFlags,
      },
    });
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    if (positionals.join(' ') !== 'export') {
      throw new CommandError(`audit does not know "${positionals.join(' ')}": see npm run audit -- --help`);
    }
    const format = parseFormat(values.format);
    const after = parseCount('--after', values.after);
    const followMs =
      values.follow === undefined ? undefined : Math.max(1, parseCount('--follow', values.follow)) * 1000;
    await using mesh = await connectMesh(context, values);
    const tenant = (await mesh.client(CallerService).getCaller({})).caller?.tenant ?? '';
    const http = createHttpClient();
    const sink = await openSink(context, { ...values, after, tenant, fetch: http.fetch, openS3 });
    try {
      const client = mesh.client(AuditExportService);
      const withHashedBytes = values['with-hashed-bytes'];
      const { signal } = new AbortController();
      const count = await exportTo(sink, { client, format, withHashedBytes, followMs }, signal);
      process.stderr.write(`${count} entries exported\n`);
    } finally {
      await sink.close();
      await http.close();
    }
    return 0;
  };
}

interface SinkFlags {
  to: string;
  state: string;
  endpoint: string;
  region: string;
  after: number;
  tenant: string;
  fetch: typeof globalThis.fetch;
  openS3: OpenS3;
}

async function openSink({ env }: CommandContext, flags: SinkFlags): Promise<ExportSink> {
  const { to, state, endpoint, region, after, tenant, fetch, openS3 } = flags;
  if (to === '') throw new CommandError('--to is missing: a file, s3://<bucket>/<prefix>, https://<collector>, or "-"');
  if (to === '-') return printing(after);
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(to) ?? [];
  if (bucket !== undefined) {
    const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
    return openBlobSink(await openS3({ bucket, prefix: `${folder}${tenant}/`, endpoint, region }), after);
  }
  if (!isHttpUrl(to)) return openFileSink(to, tenant, after);
  const secret = env.RAGMESH_AUDIT_SECRET;
  if (!secret) throw new CommandError('RAGMESH_AUDIT_SECRET is missing: the key of the signature of each post');
  if (state === '') throw new CommandError('--state is missing: the file that keeps the position of the collector');
  return openHttpSink({
    ...{ url: to, secret, tenant, after, statePath: state, authorization: env.RAGMESH_AUDIT_AUTHORIZATION ?? '' },
    ...{ timeoutMs: 30_000, attempts: 8, backoffMs: 500, clock: Date.now, fetch },
  });
}

function printing(after: number): ExportSink {
  return {
    resume: async () => ({ sequence: after }),
    write: ({ lines }) =>
      new Promise((resolve, reject) => {
        process.stdout.write(lines.map((line) => `${line}\n`).join(''), (error) => (error ? reject(error) : resolve()));
      }),
    close: async () => {},
  };
}

function parseFormat(name: string): AuditExportFormat {
  if (name === 'json') return AuditExportFormat.JSON;
  if (name === 'ocsf') return AuditExportFormat.OCSF;
  throw new CommandError(`--format is "${name}": allowed are json and ocsf`);
}

function parseCount(flag: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CommandError(`${flag} is "${text}": it is a whole number`);
}
