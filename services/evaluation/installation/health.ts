import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  BacklogKind,
  CircuitHealthState,
  type GetHealthResponse,
  GetHealthResponseSchema,
  type ProcessHealthSchema,
} from '#gen/ragmesh/evaluation/v1/installation_pb.ts';
import { createMetrics, type Metrics, type Sample } from '../doctor/samples.ts';
import type { Reading } from '../doctor/sources.ts';

/** Returns how an installation does, by the metrics of its processes. */
export function healthOf({ pages, unreachable }: Pick<Reading, 'pages' | 'unreachable'>): GetHealthResponse {
  const instances = pages.flatMap(instancesOf);
  const all = createMetrics(pages.flatMap(({ samples }) => samples));
  return create(GetHealthResponseSchema, {
    processes: instances.map(processOf),
    circuits: instances.flatMap(circuitsOf).sort((one, other) => other.state - one.state),
    backlogs: backlogsOf(all, pages),
    skippedStages: counts(all, 'ragmesh_degradation_total', 'stage').map(([stage, count]) => ({ stage, count })),
    versions: largest(pages, 'ragmesh_index_versions', 'state').map(([state, count]) => ({ state, count })),
    storeLosses: largest(pages, 'ragmesh_index_missing_chunks', 'store')
      .filter(([, count]) => count > 0n)
      .map(([store, chunkCount]) => ({ store, chunkCount })),
    truncatedChainCount: whole(largestOf(pages, 'ragmesh_audit_truncated_chains')),
    unreachableSources: unreachable,
  });
}

/** A process, or a group of workers, and what it measures. */
interface Instance {
  name: string;
  samples: readonly Sample[];
  metrics: Metrics;
}

/** Returns the instances of a page: that of a process has one, the federation page of a Prometheus names those of all its targets. */
function instancesOf({ address, samples }: Reading['pages'][number]): Instance[] {
  const byName = Map.groupBy(samples, ({ labels }) => labels.instance ?? address);
  return [...byName]
    .map(([name, own]) => ({ name, samples: own, metrics: createMetrics(own) }))
    .filter(({ metrics }) => metrics.sum('ragmesh_build_info') > 0);
}

function processOf({ name, samples, metrics }: Instance): MessageInitShape<typeof ProcessHealthSchema> {
  const of = (metric: string) => samples.filter((sample) => sample.name === metric);
  const degraded = metrics.by('ragmesh_service_degraded', 'service');
  const startSeconds = metrics.sum('process_start_time_seconds');
  return {
    instance: name,
    processCount: metrics.sum('ragmesh_build_info'),
    versions: [...new Set(of('ragmesh_build_info').map(({ labels }) => labels.version ?? ''))],
    services: of('ragmesh_service_ready').map(({ labels: { service = '' }, value }) => ({
      service,
      isReady: value > 0,
      degradedCount: degraded.get(service) ?? 0,
    })),
    ...(startSeconds > 0 && { startedAt: timestampFromMs(startSeconds * 1000) }),
    memoryBytes: whole(metrics.sum('process_resident_memory_bytes')),
    openCallCount: Math.max(0, metrics.sum('ragmesh_calls_open')),
    diskBytes: whole(metrics.sum('ragmesh_data_disk_bytes')),
    diskFreeBytes: whole(metrics.sum('ragmesh_data_disk_free_bytes')),
  };
}

/** Metrics of circuits, with the label that names the dependency. */
const circuitMetrics = [
  ['ragmesh_breaker_state', 'dependency'],
  ['ragmesh_llm_breaker_state', 'model'],
] as const;

function circuitsOf({ name, samples, metrics }: Instance) {
  const stated = circuitMetrics.flatMap(([metric, label]) =>
    samples
      .filter((sample) => sample.name === metric)
      .map(({ labels, value }) => ({ instance: name, dependency: labels[label] ?? '', state: stateOf(value) })),
  );
  const toServices = [...metrics.by('ragmesh_rpc_breaker_open', 'service')].map(([dependency, openCount]) => ({
    instance: name,
    dependency,
    state: openCount > 0 ? CircuitHealthState.OPEN : CircuitHealthState.CLOSED,
  }));
  return [...stated, ...toServices];
}

function stateOf(value: number): CircuitHealthState {
  if (value >= 2) return CircuitHealthState.OPEN;
  return value >= 1 ? CircuitHealthState.HALF_OPEN : CircuitHealthState.CLOSED;
}

function backlogsOf(all: Metrics, pages: Reading['pages']) {
  // Every replica reports what is in the store that they share: the largest report is the newest of a growing queue, and no sum.
  const jobs = largest(pages, 'ai_index_job_backlog', 'topic').map(([topic, count]) => ({
    kind: BacklogKind.INDEX_JOBS,
    topic,
    count,
    oldestMs: whole(largestOf(pages, 'ragmesh_index_queue_age_ms')),
  }));
  return [
    ...jobs,
    { kind: BacklogKind.HELD_VERSIONS, count: whole(largestOf(pages, 'ragmesh_index_held_versions')) },
    { kind: BacklogKind.LEDGER_ENTRIES, count: whole(all.sum('ragmesh_llm_ledger_pending')) },
    { kind: BacklogKind.MODEL_REQUESTS, count: whole(all.sum('ragmesh_llm_requests', { state: 'waiting' })) },
  ];
}

function counts(metrics: Metrics, metric: string, label: string): [string, bigint][] {
  return [...metrics.by(metric, label)]
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => [name, whole(count)]);
}

/** Returns the largest values of a metric by one of its labels. */
function largest(pages: Reading['pages'], metric: string, label: string): [string, bigint][] {
  const found = new Map<string, number>();
  for (const { name, labels, value } of pages.flatMap(({ samples }) => samples)) {
    if (name !== metric) continue;
    const key = labels[label] ?? '';
    found.set(key, Math.max(value, found.get(key) ?? 0));
  }
  return [...found].map(([key, value]) => [key, whole(value)]);
}

function largestOf(pages: Reading['pages'], metric: string): number {
  const values = pages.flatMap(({ samples }) => samples).filter(({ name }) => name === metric);
  return Math.max(0, ...values.map(({ value }) => value));
}

function whole(value: number): bigint {
  return BigInt(Math.round(Math.max(0, Number.isFinite(value) ? value : 0)));
}
