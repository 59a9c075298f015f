import { create } from '@bufbuild/protobuf';
import {
  type Config,
  type EnrichmentConfig,
  type IndexerConfig,
  IndexerConfigSchema,
  RetrievalConfigSchema,
  type SourcesConfig,
  SourcesConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import type { GateMode } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { type ChosenAdapter, chosenAdapter } from '#kit/host/config/settings.ts';
import { type AllowedHosts, readAllowedHosts } from '#kit/http/guard/addresses.ts';
import { type PersonalDataPolicies, readPersonalData } from '#kit/personal-data/policy.ts';
import type { ParseLimits } from './prepare/prepared.ts';
import type { SourceSecret } from './sources/open-source.ts';

/** Settings of the indexer, with a value for each. */
export interface IndexerSettings {
  /** Jobs that run concurrently. */
  readonly maxRunningJobs: number;
  /** Largest file, in bytes. */
  readonly maxFileBytes: number;
  /** Largest upload, in bytes. */
  readonly maxUploadBytes: number;
  /** Target length of a chunk, in estimated tokens. */
  readonly chunkTokens: number;
  /** Length that a chunk repeats of the one before, if a section had to be cut, in estimated tokens. */
  readonly chunkOverlapTokens: number;
  /** Attempts of a job before it fails. */
  readonly maxAttempts: number;
  /** Time that a worker owns a job without renewing its lease. */
  readonly leaseMs: number;
  /** Bounds of a process that parses a file of a risky format. */
  readonly parseLimits: ParseLimits;
  /** Index versions whose document texts are kept: the live one and those that can become live again. */
  readonly keptVersions: number;
  /** What distributes jobs among replicas. */
  readonly jobQueue: ChosenAdapter;
  /** What a new version must prove, of corpora without a gate of their own. */
  readonly gate: GateMode;
  /** Store of uploaded files. */
  readonly blobStore: ChosenAdapter;
  /** What is done with personal data in documents. */
  readonly personalData: Pick<PersonalDataPolicies, 'ofCorpus'>;
  /** Whether PDFs of a corpus are kept after their job. */
  readonly keepsOriginals: (tenant: string, corpus: string) => boolean;
  /** What a model writes about chunks; `undefined`: nothing. */
  readonly enrichment: Enrichment | undefined;
  /** What sources may reach. */
  readonly sources: SourcesSettings;
}

/** What a model writes about chunks, to help searches. */
export interface Enrichment {
  /** Alias of the model in the gateway. */
  readonly model: string;
  /** Corpora whose documents are enriched; empty: all. */
  readonly corpora: ReadonlySet<string>;
  /** Whether it writes what a chunk is about in its document. */
  readonly summaries: boolean;
  /** Questions that a chunk answers, at most. */
  readonly questions: number;
  /** Calls in a job, at most. */
  readonly maxCalls: number;
  /** Time for a call, in milliseconds. */
  readonly timeoutMs: number;
}

/** What sources may reach. */
export interface SourcesSettings {
  /** Sources that run concurrently. */
  readonly maxRunning: number;
  /** Internal hosts that sources may read. */
  readonly allowedHosts: AllowedHosts;
  /** Folders of this machine that sources may read. */
  readonly allowedFolders: readonly string[];
  readonly secrets: readonly SourceSecret[];
}

const { field } = IndexerConfigSchema;

/** Returns the settings from the configuration. Throws ConfigError. */
export function readConfig(config: Config): IndexerSettings {
  const given = config.indexer ?? create(IndexerConfigSchema);
  const { keptVersions } = config.retrieval ?? create(RetrievalConfigSchema);
  const personalData = readPersonalData(config.personalData);
  const kept = new Set(given.keepOriginals);
  const settings: IndexerSettings = {
    maxRunningJobs: given.maxRunningJobs,
    maxFileBytes: Number(given.maxFileBytes),
    maxUploadBytes: Number(given.maxUploadBytes),
    chunkTokens: given.chunkTokens,
    chunkOverlapTokens: given.chunkOverlapTokens,
    maxAttempts: given.maxAttempts,
    leaseMs: given.leaseMs,
    parseLimits: {
      memoryBytes: Number(given.parseMemoryBytes),
      stallMs: given.parseStallMs,
      totalMs: given.parseTotalMs,
      ocr: given.ocr && chosenAdapter(field.ocr, given.ocr, 'indexer.ocr'),
    },
    keptVersions: 1 + keptVersions,
    gate: given.gate,
    jobQueue: chosenAdapter(field.jobQueue, given.jobQueue, 'indexer.job_queue'),
    blobStore: blobStoreOf(config, given),
    personalData,
    // An image would show what is masked.
    keepsOriginals: (tenant, corpus) =>
      (kept.has('*') || kept.has(corpus)) && personalData.ofCorpus(tenant, corpus) === undefined,
    enrichment: given.enrichment && enrichmentOf(given.enrichment),
    sources: sourcesOf(given.sources ?? create(SourcesConfigSchema)),
  };
  const overlapMax = Math.floor(settings.chunkTokens / 2);
  if (settings.chunkOverlapTokens > overlapMax) {
    throw new ConfigError('indexer.chunk_overlap_tokens', `is ${settings.chunkOverlapTokens}, more than half a chunk`, [
      `0 to ${overlapMax}`,
    ]);
  }
  return Object.freeze(settings);
}

function enrichmentOf({ model, corpora, summaries, questions, maxCalls, timeoutMs }: EnrichmentConfig): Enrichment {
  if (!summaries && questions === 0) {
    throw new ConfigError('indexer.enrichment', 'asks for nothing', ['summaries: true', 'questions: 1 to 5']);
  }
  return Object.freeze({ model, corpora: new Set(corpora), summaries, questions, maxCalls, timeoutMs });
}

/** Returns the store of uploads. Replicas must read what another one has received, so the default is the place of their records. */
function blobStoreOf({ storage }: Config, { blobStore }: IndexerConfig): ChosenAdapter {
  const path = 'indexer.blob_store';
  if (blobStore !== undefined) return chosenAdapter(field.blobStore, blobStore, path);
  return Object.freeze({ adapter: storage?.database ? 'database' : 'folder', settings: undefined, path });
}

function sourcesOf({ maxRunning, allowedHosts, allowedFolders, secrets }: SourcesConfig): SourcesSettings {
  return Object.freeze({
    maxRunning,
    allowedHosts: readAllowedHosts(allowedHosts, 'indexer.sources.allowed_hosts'),
    allowedFolders,
    secrets: secrets.map(({ tenant, name, value }) => ({ tenant, name, value })),
  });
}
