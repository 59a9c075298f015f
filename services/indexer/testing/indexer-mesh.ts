import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import pg from 'pg';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { AdapterConfigSchema, type ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import {
  type Failure,
  IndexerService,
  type IngestDocumentsRequestSchema,
  type Job,
} from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { schemaOf } from '#kit/storage/postgres/database.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { indexer } from '../index.ts';
import { createEmbeddingStandIn, type EmbeddingStandIn } from './embedding-stand-in.ts';
import { createIndexStandIn, type IndexStandIn } from './index-stand-in.ts';

/** A part of an upload. */
export type Part = MessageInitShape<typeof IngestDocumentsRequestSchema>;

/** Content of a file with its header. */
export interface FileWithHeader {
  content: string | Uint8Array;
  groups?: string[];
  attributes?: Record<string, string>;
  mediaType?: string;
  password?: string;
}

/** Files by path; a value is the content, or the content with its header. */
export type Files = Record<string, string | Uint8Array | FileWithHeader>;

/** Fields of the first message of an upload. */
export interface UploadOptions {
  corpus?: string;
  deleteMissing?: boolean;
  groups?: string[];
  principal?: Principal;
}

/** An indexer whose dependencies are fakes. */
export interface IndexerMesh extends AsyncDisposable {
  mesh: TestMesh;
  client: Client<typeof IndexerService>;
  index: IndexStandIn;
  embedding: EmbeddingStandIn;
  gate: Client<typeof VersionGateService>;
  overlays: Client<typeof OverlayService>;
  as(principal?: Principal): Promise<CallOptions>;
  /** Uploads files and returns the job id. */
  upload(files: Files, options?: UploadOptions): Promise<string>;
  /** Uploads files and returns their job after its end. */
  ingest(files: Files, options?: UploadOptions): Promise<Job>;
  /** Waits for the end of a job and returns it. */
  finish(jobId: string, principal?: Principal): Promise<Job>;
  /** Returns all failures of a job. */
  failures(jobId: string): Promise<Failure[]>;
}

/** The place of the records of a test file's indexers. A test file on another engine sets it before its tests. */
export const testStorage: {
  /** Returns the URL of an empty database. @default SQLite */
  createDatabase?: () => Promise<string>;
} = {};
const databases = new Map<string, string>();

/** Returns the rows of a statement on the records of an indexer. */
export async function recordsOf(
  dataDir: string,
  statement: string,
  name: 'records' | 'jobs' = 'records',
): Promise<Record<string, unknown>[]> {
  const database = databases.get(dataDir);
  if (database === undefined) {
    const db = new DatabaseSync(join(dataDir, 'indexer', `${name}.db`), { timeout: 5000 });
    try {
      return db.prepare(statement).all();
    } finally {
      db.close();
    }
  }
  const client = new pg.Client({ connectionString: database, options: `-c search_path=${schemaOf('indexer')}` });
  client.setTypeParser(pg.types.builtins.INT8, Number);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** Starts an indexer. `carry` passes the fakes and the folder of an earlier one. */
export async function startIndexerMesh(
  options: {
    config?: MessageInitShape<typeof ConfigSchema>['indexer'];
    personalData?: MessageInitShape<typeof ConfigSchema>['personalData'];
    index?: IndexStandIn;
    embedding?: EmbeddingStandIn;
    /** More services. */
    services?: readonly ServiceDefinition[];
    /** Services that do not run here. */
    absent?: readonly ServiceDefinition[];
    dataDir?: string;
  } = {},
): Promise<IndexerMesh> {
  const index = options.index ?? createIndexStandIn();
  const embedding = options.embedding ?? createEmbeddingStandIn();
  const database = databases.get(options.dataDir ?? '') ?? (await testStorage.createDatabase?.());
  const services = [indexer, index.definition, embedding.definition, ...(options.services ?? [])];
  const mesh = await startTestMesh(services, {
    known: [...services, ...(options.absent ?? [])],
    config: {
      // Tests look into the folder of uploads.
      indexer: { ...options.config, blobStore: create(AdapterConfigSchema, { adapter: 'folder' }) },
      ...(database !== undefined && { storage: { database } }),
      ...(options.personalData && { personalData: options.personalData }),
    },
    ...(options.dataDir !== undefined && { dataDir: options.dataDir }),
  });
  if (database !== undefined) databases.set(mesh.dataDir, database);
  const client = mesh.client(IndexerService);
  const as = (principal = testPrincipal()) => mesh.as(principal);
  const upload = async (files: Files, { principal, ...start }: UploadOptions = {}) => {
    const { jobId } = await client.ingestDocuments(partsOf(files, start), await as(principal));
    return jobId;
  };
  const finish = async (jobId: string, principal?: Principal) => {
    let last: Job | undefined;
    for await (const { job } of client.watchJob({ jobId }, await as(principal))) last = job;
    if (last === undefined) throw new Error('no word of the job');
    return last;
  };
  return {
    mesh,
    client,
    index,
    embedding,
    gate: mesh.client(VersionGateService),
    overlays: mesh.client(OverlayService),
    as,
    upload,
    ingest: async (files, uploadOptions = {}) => finish(await upload(files, uploadOptions), uploadOptions.principal),
    finish,
    async failures(jobId) {
      const all: Failure[] = [];
      for (let pageToken = ''; ; ) {
        const page = await client.listFailures({ jobId, pageToken, pageSize: 3 }, await as());
        all.push(...page.failures);
        if (page.nextPageToken === '') return all;
        pageToken = page.nextPageToken;
      }
    },
    [Symbol.asyncDispose]: () => mesh.close(),
  };
}

/** Yields the messages of an upload. */
export async function* partsOf(files: Files, start: Omit<UploadOptions, 'principal'> = {}): AsyncIterable<Part> {
  const { corpus = 'help', deleteMissing = false, groups } = start;
  yield { part: { case: 'start', value: { corpus, deleteMissing, ...(groups && { defaultAccess: { groups } }) } } };
  for (const [path, file] of Object.entries(files)) {
    const header = typeof file === 'string' || file instanceof Uint8Array ? { content: file } : file;
    const {
      content,
      groups: own,
      attributes = {},
      mediaType = '',
      password = '',
    } = header as Exclude<Files[string], string | Uint8Array>;
    const bytes = typeof content === 'string' ? Buffer.from(content) : (content as Uint8Array);
    yield {
      part: {
        case: 'file',
        value: {
          path,
          sizeBytes: BigInt(bytes.byteLength),
          mediaType,
          password,
          attributes,
          ...(own && { access: { groups: own } }),
        },
      },
    };
    for (let offset = 0; offset < bytes.byteLength; offset += 1 << 18) {
      yield { part: { case: 'data', value: bytes.subarray(offset, offset + (1 << 18)) } };
    }
  }
}

/** Returns a file of `count` records `prefix0`, `prefix1`, …, with the text that `textOf` returns. */
export function jsonl(
  count: number,
  textOf: (index: number) => string = (index) => `Text of ${index}.`,
  prefix = 'd',
): string {
  return Array.from({ length: count }, (_, index) =>
    JSON.stringify({ id: `${prefix}${index}`, title: `T${index}`, text: textOf(index) }),
  ).join('\n');
}
