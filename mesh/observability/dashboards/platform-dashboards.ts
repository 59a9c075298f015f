import { failedCodes } from '../objectives.ts';
import { type Dashboard, gauge, inRegion, lines, numbers, quantiles, rate } from './panel.ts';

/** What models do, and what they cost. */
export const providers: Dashboard = {
  name: 'ragmesh-providers',
  title: 'ragmesh / providers and cost',
  panels: [
    lines('Attempts, by result', 'reqps', [rate('ragmesh_llm_attempt_total', 'model, result')]),
    numbers(
      'Circuit of each model',
      'short',
      [gauge('ragmesh_llm_breaker_state', 'model', 'max')],
      '0 closed, 1 half open, 2 open: it is not called.',
    ),
    lines('First token', 'ms', quantiles('ragmesh_llm_first_token_ms', [0.5, 0.95], 'model')),
    lines('Time between tokens', 'ms', quantiles('ragmesh_llm_inter_token_ms', [0.5, 0.99], 'model')),
    lines('Whole generation', 'ms', quantiles('ai_llm_latency_ms', [0.5, 0.95], 'provider, model')),
    lines('Prompt tokens', 'short', [rate('ai_prompt_tokens_total', 'model')], 'Each second.'),
    lines('Completion tokens', 'short', [rate('ai_completion_tokens_total', 'model')], 'Each second.'),
    lines(
      'Cost of an hour',
      'short',
      [
        {
          expr: `sum by (model, currency) (rate(ragmesh_llm_cost_micros_total{${inRegion}}[$__rate_interval])) * 3600 / 1e6`,
          legend: '{{model}} {{currency}}',
        },
      ],
      'In units of the currency.',
    ),
    numbers(
      'Cost against the budget',
      'short',
      [{ expr: 'ragmesh:cost:burn_rate1d', legend: '{{currency}}' }],
      '1: the budget of 30 days lasts 30 days.',
    ),
    lines('In flight and waiting', 'short', [
      gauge('ragmesh_llm_in_flight', 'model, state'),
      { ...gauge('ragmesh_llm_requests', 'state'), legend: 'requests {{state}}' },
    ]),
    lines('Connections', 'short', [gauge('ragmesh_llm_connections', 'model')]),
    lines('Failover', 'reqps', [
      rate('ragmesh_llm_fallback_total', 'model, how'),
      { ...rate('ragmesh_llm_hedge_total', 'result'), legend: 'hedge {{result}}' },
    ]),
    lines('Refused by limits', 'reqps', [rate('ragmesh_llm_limit_refused_total', 'limit, scope')]),
    lines('Usage ledger', 'short', [
      { ...gauge('ragmesh_llm_ledger_pending', 'instance'), legend: 'pending {{instance}}' },
      rate('ragmesh_llm_ledger_total', 'outcome'),
    ]),
  ],
};

const isBad = 'response_code=~"5..|0",reporter="source"';

/** Who calls whom, as the callers and the sidecars see it. */
export const edges: Dashboard = {
  name: 'ragmesh-edges',
  title: 'ragmesh / mesh edges',
  panels: [
    lines('Calls to other processes', 'reqps', [rate('ragmesh_rpc_client_total', 'job, service')]),
    lines(
      'Of these failed, by code',
      'reqps',
      [rate('ragmesh_rpc_client_total', 'job, service, method, code', `code=~"${failedCodes}"`)],
      'As callers see it: a connection that broke is in no count of a server.',
    ),
    lines('Streams in flight', 'short', [gauge('ragmesh_streams_open', 'job, service')]),
    lines('Connections at the edge', 'short', [gauge('ragmesh_edge_connections', 'instance')]),
    lines('Istio: requests', 'reqps', [
      rate('istio_requests_total', 'source_workload, destination_workload', 'reporter="source"'),
    ]),
    lines(
      'Istio: failed requests',
      'reqps',
      [rate('istio_requests_total', 'source_workload, destination_workload, response_flags', isBad)],
      'The flag says why: UF no connection, UO overflow, URX retries used up.',
    ),
    lines('Istio: gRPC status', 'reqps', [
      rate('istio_requests_total', 'destination_workload, grpc_response_status', 'reporter="source"'),
    ]),
    lines(
      'Istio: time of requests',
      'ms',
      quantiles('istio_request_duration_milliseconds', [0.95], 'destination_workload', 'reporter="source"'),
    ),
    lines(
      'Istio: refused, not mutual TLS',
      'reqps',
      [
        rate(
          'istio_requests_total',
          'destination_workload, connection_security_policy',
          'reporter="destination",connection_security_policy!="mutual_tls"',
        ),
      ],
      'Nothing is expected here.',
    ),
  ],
};

/** What each region carries, and whether it could carry another one. */
export const regions: Dashboard = {
  name: 'ragmesh-regions',
  title: 'ragmesh / regions',
  panels: [
    lines('Requests', 'reqps', [rate('ragmesh_edge_requests_total', 'region')]),
    lines('Requests that failed', 'percentunit', [
      { expr: `ragmesh:slo_errors:ratio_rate5m{slo="availability",${inRegion}}`, legend: '{{region}}' },
    ]),
    lines('First text of an answer', 'ms', quantiles('ai_first_token_ms', [0.95], 'region')),
    lines('Share of cached answers', 'percentunit', [
      {
        expr: `sum by (region) (rate(ai_cache_hit_total{${inRegion}}[$__rate_interval])) / sum by (region) (rate(ai_cache_lookup_total{${inRegion}}[$__rate_interval]))`,
        legend: '{{region}}',
      },
    ]),
    lines('Age of the oldest waiting job', 'ms', [gauge('ragmesh_index_queue_age_ms', 'region', 'max')]),
    numbers('Processes', 'short', [gauge('ragmesh_build_info', 'region, version')]),
    numbers('Services that can serve', 'short', [gauge('ragmesh_service_ready', 'region, service', 'min')]),
    lines('CPU', 'short', [rate('process_cpu_seconds_total', 'region')], 'Cores.'),
    lines('Istio: requests between regions', 'reqps', [
      rate('istio_requests_total', 'source_cluster, destination_cluster', 'reporter="source"'),
    ]),
  ],
};
