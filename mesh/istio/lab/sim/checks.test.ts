import { expect, test } from 'vitest';
import { services } from '../../../run.ts';
import { hostOf } from '../../model/installation.ts';
import { createModel } from '../../model/model.ts';
import { regions } from '../../model/regions.ts';
import { renderFiles } from '../../render/files.ts';
import { parseObjects } from '../cluster/manifests.ts';
import { placeCluster } from '../cluster/pods.ts';
import { checkReport } from './checks.ts';
import { outsideQuestions, rpcQuestions } from './questions.ts';
import { type Endpoint, type Outcome, parseReport, type Report, type Upstream } from './report.ts';

// A report as Istio would make it of the right manifests, and then one wrong answer after the other.

const model = createModel(services, 'services');
const files = [...renderFiles(services)].filter(([path]) => /services\/workloads\/(?!kustomization)/.test(path));
const objects = files.flatMap(([, yaml]) => parseObjects(yaml));
const cluster = placeCluster({ cluster: 'eu', objects }, { index: 1, replicasOf: () => 1 });
const asked = {
  model,
  cluster: 'eu',
  region: regions.find(({ name }) => name === 'eu'),
  rpcs: rpcQuestions(model, cluster),
  outside: outsideQuestions(model, cluster),
  fromClients: [true, false].flatMap((isNamed) =>
    [8443, 443].map((port) => {
      const host = isNamed ? model.installation.publicHost : 'unlisted.example.org';
      return {
        host,
        call: { proxy: 'eu-ragmesh-ingress-1', address: '203.0.113.80', port, host, path: `/public/${port}` },
      };
    }),
  ),
};

const right = rightReport();

function rightReport(): Report {
  const calls = new Map(model.calls.map((call) => [`${call.from} ${call.to} ${call.rpc.path}`, call]));
  const called = new Set(model.calls.map(({ to, rpc }) => `${to} ${rpc.path}`));
  const known = new Set(model.calls.map(({ from, to }) => `${from} ${to}`));
  const none = {
    error: '',
    upstream: 'BlackHoleCluster',
    route: '',
    retryOn: '',
    retries: 0,
    timeoutMs: 0,
    perTryTimeoutMs: 0,
  };
  const outcomes = asked.rpcs.map(({ from, to, rpc, call }): Outcome => {
    if (!known.has(`${from} ${to}`)) return { ...none, ...call };
    const upstream = `outbound|50051||${hostOf(to, model.installation)}`;
    if (!called.has(`${to} ${rpc.path}`)) return { ...none, ...call, upstream, route: 'other' };
    const isAllowed = calls.has(`${from} ${to} ${rpc.path}`);
    const retryOn = rpc.retryCount > 0 ? 'unavailable' : '';
    const timeoutMs = rpc.isStream || !isAllowed ? 0 : rpc.timeoutMs;
    return { ...none, ...call, upstream, route: rpc.name, retries: rpc.retryCount, retryOn, timeoutMs };
  });
  const callers = model.workloads.filter(({ callsProviders }) => callsProviders).map(({ name }) => name);
  const gateway = 'ragmesh-egress.istio-egress.svc.cluster.local';
  const outside = asked.outside.map(({ from, host, call }): Outcome => {
    const provider = { 'api.openai.com': 'openai', 'api.anthropic.com': 'anthropic' }[host];
    const isOpen = provider !== undefined && callers.includes(from);
    return { ...none, ...call, ...(isOpen && { upstream: `outbound|443|${provider}|${gateway}` }) };
  });
  const upstreams: Upstream[] = [
    {
      proxy: 'eu-chat-1',
      name: 'outbound|50051||cache.ragmesh.svc.cluster.local',
      retryBudget: 20,
      maxEjection: 50,
      maxRequests: 100,
    },
  ];
  const own = { proxy: 'eu-chat-1', region: 'eu', address: '10.77.1.20', port: 50051, priority: 0 };
  const shared = 'outbound|50051||rerank.ragmesh.svc.cluster.local';
  const endpoints: Endpoint[] = [
    { ...own, upstream: 'outbound|50051||cache.ragmesh.svc.cluster.local' },
    { ...own, upstream: shared },
    { ...own, upstream: shared, region: 'cn', address: '10.77.1.202', port: 15443, priority: 1 },
  ];
  const fromClients = asked.fromClients.map(({ host, call }): Outcome => {
    const isPassed = host === model.installation.publicHost && call.port === 443;
    const upstream = isPassed ? `outbound|8080||${hostOf('edge', model.installation)}` : '';
    return { ...none, ...call, upstream };
  });
  return { outcomes: [...outcomes, ...outside, ...fromClients], endpoints, upstreams };
}

function problemsOf(report: Report): string[] {
  return checkReport(asked, report).flatMap(({ problems }) => problems);
}

/** Returns the report with another outcome of one call. */
function withOutcome(from: string, path: string, change: Partial<Outcome>): Report {
  let isChanged = false;
  const outcomes = right.outcomes.map((outcome) => {
    if (outcome.proxy !== `eu-${from}-1` || !outcome.path.endsWith(path)) return outcome;
    isChanged = true;
    return { ...outcome, ...change };
  });
  if (!isChanged) throw new Error(`no call of ${from} to ${path}`);
  return { ...right, outcomes };
}

test('a right report has no problem', () => {
  expect(problemsOf(right)).toEqual([]);
});

test.each([
  [
    'a retry of what may not be repeated',
    withOutcome('chat', '/Generate', { retries: 2, retryOn: 'unavailable' }),
    /Generate: 2 retries/,
  ],
  ['a timeout on a stream', withOutcome('chat', '/Generate', { timeoutMs: 15_000 }), /Generate: 15000 ms/],
  ['a timeout for each attempt', withOutcome('chat', '/Retrieve', { perTryTimeoutMs: 100 }), /100 ms an attempt/],
  ['an rpc on the route of the others', withOutcome('chat', '/Retrieve', { route: 'other' }), /Retrieve: route other/],
  [
    'a way to a service that is not needed',
    withOutcome('audit', '/Retrieve', { upstream: 'outbound|50051||x' }),
    /audit → retrieval/,
  ],
])('%s is a problem', (_, report, message) => {
  expect(problemsOf(report).join('\n')).toMatch(message);
});

test('a replica of another region is a problem for what a region holds, or before its own have failed', () => {
  const [regional, own, remote] = right.endpoints as [Endpoint, Endpoint, Endpoint];
  const withEndpoints = (...endpoints: Endpoint[]) => problemsOf({ ...right, endpoints }).join('\n');
  expect(withEndpoints(regional, { ...regional, region: 'cn' })).toMatch(/leaves eu/);
  expect(withEndpoints(own, { ...remote, priority: 0 })).toMatch(/before its own has failed/);
  expect(withEndpoints(own, { ...remote, port: 50051 })).toMatch(/not through a gateway/);
  expect(withEndpoints(own)).toMatch(/no replica to fail over to/);
  expect(withEndpoints(remote)).toMatch(/no replica in eu/);
});

test('a call to the outside that is not by the gateway is a problem', () => {
  const leak = { upstream: 'PassthroughCluster' };
  const outcomes = right.outcomes.map((outcome) =>
    outcome.host === 'unlisted.example.org' ? { ...outcome, ...leak } : outcome,
  );
  expect(problemsOf({ ...right, outcomes }).join('\n')).toMatch(
    /chat to unlisted.example.org: goes to PassthroughCluster/,
  );
});

test('an entrance that passes another name, another service or nothing is a problem', () => {
  const change = (isChanged: (outcome: Outcome) => boolean, upstream: string) => {
    const outcomes = right.outcomes.map((outcome) => (isChanged(outcome) ? { ...outcome, upstream } : outcome));
    return problemsOf({ ...right, outcomes }).join('\n');
  };
  const isNamed = ({ host, upstream }: Outcome) => host === model.installation.publicHost && upstream !== '';
  const isOther = ({ host, path }: Outcome) => host === 'unlisted.example.org' && path === '/public/443';
  expect(change(isNamed, '')).toMatch(/0 ports pass the public name/);
  expect(change(isNamed, 'outbound|50051||audit')).toMatch(/the public name: to outbound\|50051\|\|audit/);
  expect(change(isOther, 'outbound|8080||edge')).toMatch(/another name: to outbound/);
});

test('a service without limits is a problem', () => {
  const upstreams = right.upstreams.map((upstream) => ({ ...upstream, maxRequests: 2 ** 32 - 1 }));
  expect(problemsOf({ ...right, upstreams }).join('\n')).toMatch(/4294967295 requests/);
});

test('names of Go become names of TypeScript', () => {
  expect(parseReport('{"Outcomes":[{"TimeoutMs":5}],"Endpoints":[],"Upstreams":[]}').outcomes[0]?.timeoutMs).toBe(5);
});
