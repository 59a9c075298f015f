import { failedCodes, objectives } from '../objectives.ts';
import { type Dashboard, gauge, inRegion, lines, numbers, quantiles, rate } from './panel.ts';

const slos = [...objectives.map(({ slo }) => slo), 'freshness'];

/** Is the mesh well, and if not, since when. */
export const overview: Dashboard = {
  name: 'ragmesh-overview',
  title: 'ragmesh / overview',
  panels: [
    numbers(
      'Errors of the last hour, by objective',
      'percentunit',
      slos.map((slo) => ({
        expr: `max by (region) (ragmesh:slo_errors:ratio_rate1h{slo="${slo}",${inRegion}})`,
        legend: `${slo} {{region}}`,
      })),
      'Allowed over 30 days: availability 0.1 %, first token 5 %, retrieval 1 %, freshness 1 %.',
    ),
    numbers(
      'Services that can serve',
      'short',
      [gauge('ragmesh_service_ready', 'service', 'min')],
      '1: every replica; 0: some replica cannot.',
    ),
    numbers('Processes, by version', 'short', [gauge('ragmesh_build_info', 'version')]),
    lines('Requests at the edge', 'reqps', [rate('ragmesh_edge_requests_total', 'route')]),
    lines('Requests that failed, by code', 'reqps', [
      rate('ragmesh_edge_requests_total', 'route, code', `code=~"${failedCodes}"`),
    ]),
    lines(
      'First text of an answer',
      'ms',
      quantiles('ai_first_token_ms', [0.5, 0.95, 0.99]),
      'The objective is 800 ms.',
    ),
    lines('Whole answer', 'ms', quantiles('ai_request_latency_ms', [0.5, 0.95], 'route')),
    lines('Answers, by outcome', 'reqps', [rate('ragmesh_answer_total', 'outcome')]),
    lines('Questions, by tenant', 'reqps', [rate('ai_request_total', 'tenant')]),
    lines('Calls and streams in flight', 'short', [
      { ...gauge('ragmesh_calls_open', 'job'), legend: 'calls {{job}}' },
      { ...gauge('ragmesh_streams_open', 'service'), legend: 'streams {{service}}' },
    ]),
    lines(
      'CPU',
      'short',
      [
        {
          expr: `sum by (job, instance) (rate(process_cpu_seconds_total{${inRegion}}[$__rate_interval]))`,
          legend: '{{instance}}',
        },
      ],
      'Cores. An event loop uses one.',
    ),
    lines('Memory', 'bytes', [gauge('process_resident_memory_bytes', 'instance')]),
    lines(
      'Delay of the event loop',
      's',
      [gauge('nodejs_eventloop_lag_p99_seconds', 'instance', 'max')],
      'Every request of a process waits as long.',
    ),
    lines('Figures of evaluation', 'percentunit', [gauge('ragmesh_evaluation_score', 'data_set, figure', 'max')]),
  ],
};

/** In which stage the time of an answer goes. */
export const stages: Dashboard = {
  name: 'ragmesh-stages',
  title: 'ragmesh / stages',
  panels: [
    lines('Look-up in the cache', 'ms', quantiles('ai_cache_lookup_ms', [0.95], 'result')),
    lines(
      'Search, by leg',
      'ms',
      quantiles('ai_retrieval_latency_ms', [0.5, 0.95], 'index'),
      '"all" is the whole search, reranking included. The objective is 250 ms.',
    ),
    lines('First token of a model', 'ms', quantiles('ragmesh_llm_first_token_ms', [0.5, 0.95], 'model')),
    lines('Time of calls', 'ms', quantiles('ragmesh_rpc_ms', [0.95], 'service')),
    lines('Calls', 'reqps', [rate('ragmesh_rpc_total', 'service')]),
    lines('Calls that failed, by code', 'reqps', [
      rate('ragmesh_rpc_total', 'service, method, code', `code=~"${failedCodes}"`),
    ]),
    lines('Stages that were skipped', 'reqps', [rate('ragmesh_degradation_total', 'stage')]),
    lines('Sentences without support', 'reqps', [rate('ragmesh_unsupported_claim_total', 'fault')]),
  ],
};

/** Whether cached answers are found, and whether they are right. */
export const cache: Dashboard = {
  name: 'ragmesh-cache',
  title: 'ragmesh / cache',
  panels: [
    lines('Share of look-ups that hit', 'percentunit', [
      {
        expr: `sum by (layer) (rate(ai_cache_hit_total{${inRegion}}[$__rate_interval])) / ignoring (layer) group_left () sum (rate(ai_cache_lookup_total{${inRegion}}[$__rate_interval]))`,
        legend: '{{layer}}',
      },
    ]),
    lines('Look-ups', 'reqps', [
      { ...rate('ai_cache_lookup_total', 'region'), legend: 'look-ups {{region}}' },
      { ...rate('ai_cache_miss_total', 'region'), legend: 'misses {{region}}' },
    ]),
    lines('Time of a look-up', 'ms', quantiles('ai_cache_lookup_ms', [0.5, 0.99], 'result')),
    lines('Semantic candidates refused, by guard', 'reqps', [rate('ai_cache_semantic_refused_total', 'guard')]),
    lines(
      'Semantic hits that were compared',
      'reqps',
      [rate('ai_cache_semantic_shadow_total', 'verdict')],
      'A share of wrong ones above the calibrated bound turns the layer off.',
    ),
    numbers('State', 'short', [
      { ...gauge('ai_cache_store_state', 'instance', 'max'), legend: 'breaker of the store, {{instance}}' },
      { ...gauge('ai_cache_semantic_off', 'instance', 'max'), legend: 'semantic layer off, {{instance}}' },
    ]),
    lines('Stored answers that could not be read', 'reqps', [rate('ai_cache_corrupt_total', 'instance')]),
  ],
};

/** Whether documents become searchable in time. */
export const indexer: Dashboard = {
  name: 'ragmesh-indexer',
  title: 'ragmesh / indexer',
  panels: [
    lines(
      'Backlog',
      'short',
      [gauge('ai_index_job_backlog', 'topic', 'max')],
      'Every replica reports the whole number.',
    ),
    lines(
      'Age of the oldest waiting job',
      'ms',
      [gauge('ragmesh_index_queue_age_ms', 'region', 'max')],
      'The objective is 15 minutes.',
    ),
    lines('Jobs that ended', 'reqps', [rate('ragmesh_index_job_total', 'result')]),
    lines('Versions, by state', 'short', [gauge('ragmesh_index_versions', 'state', 'max')]),
    lines('Calls for documents', 'reqps', [
      rate('ragmesh_rpc_total', 'service, method', 'service=~".*(IndexWriterService|EmbeddingService|IndexerService)"'),
    ]),
    lines(
      'Time of these calls',
      'ms',
      quantiles(
        'ragmesh_rpc_ms',
        [0.95],
        'service',
        'service=~".*(IndexWriterService|EmbeddingService|IndexerService)"',
      ),
    ),
  ],
};
