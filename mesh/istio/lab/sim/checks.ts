import { hostOf } from '../../model/installation.ts';
import type { Model } from '../../model/model.ts';
import { type Provider, providers, type Region, sharedHosts } from '../../model/regions.ts';
import type { OutsideQuestion, PublicQuestion, RpcQuestion } from './questions.ts';
import type { Endpoint, Outcome, Report } from './report.ts';

/** One claim about the manifests, how often it was checked, and what breaks it. */
export interface Check {
  readonly name: string;
  readonly count: number;
  readonly problems: readonly string[];
}

/** What was asked of the control plane of one cluster. */
export interface Asked {
  readonly model: Model;
  readonly cluster: string;
  /** The region, and all of them; `undefined` for an installation in one cluster. */
  readonly region: Region | undefined;
  readonly rpcs: readonly RpcQuestion[];
  readonly outside: readonly OutsideQuestion[];
  readonly fromClients: readonly PublicQuestion[];
}

/** Returns every claim, compared with what Istio makes of the manifests. */
export function checkReport(asked: Asked, report: Report): Check[] {
  const outcomes = new Map(report.outcomes.map((outcome) => [keyOf(outcome), outcome]));
  const outcomeOf = (call: { proxy: string; host: string; path: string }) => {
    const found = outcomes.get(keyOf(call));
    if (found === undefined) throw new Error(`the simulation did not answer for ${keyOf(call)}`);
    return found;
  };
  return [
    ...rpcChecks(asked, outcomeOf),
    ...outsideChecks(asked, outcomeOf),
    publicCheck(asked, outcomeOf),
    endpointCheck(asked, report),
    limitCheck(asked, report),
  ];
}

function keyOf({ proxy, host, path }: { proxy: string; host: string; path: string }): string {
  return `${proxy} ${host} ${path}`;
}

type OutcomeOf = (call: { proxy: string; host: string; path: string }) => Outcome;

function upstreamOf(workload: string, { installation }: Model): string {
  return `outbound|${installation.ports.grpc}||${hostOf(workload, installation)}`;
}

function rpcChecks({ model, rpcs }: Asked, outcomeOf: OutcomeOf): Check[] {
  const allowed = new Set(model.calls.map(({ from, to, rpc }) => `${from} ${to} ${rpc.path}`));
  const knows = new Set(model.calls.map(({ from, to }) => `${from} ${to}`));
  const called = new Set(model.calls.map(({ to, rpc }) => `${to} ${rpc.path}`));
  const [yes, no] = split(rpcs, ({ from, to, rpc }) => allowed.has(`${from} ${to} ${rpc.path}`));
  const [refusedThere, unknown] = split(no, ({ from, to }) => knows.has(`${from} ${to}`));
  const routed = (question: RpcQuestion, route: string): string[] => {
    const { upstream, route: found, error } = outcomeOf(question.call);
    if (upstream === upstreamOf(question.to, model) && found === route) return [];
    return [`${titleOf(question)}: route ${found || '(none)'} to ${upstream || error}`];
  };
  return [
    check('an allowed call has its own route to its service', yes, (question) => routed(question, question.rpc.name)),
    check('its retries are those of the contract; none if it may not be repeated', yes, (question) => {
      const { retries, retryOn } = outcomeOf(question.call);
      const isRight = retries === question.rpc.retryCount && (retries > 0 || retryOn === '');
      return isRight
        ? []
        : [`${titleOf(question)}: ${retries} retries on "${retryOn}", not ${question.rpc.retryCount}`];
    }),
    check('its timeout is that of the contract; a stream has none', yes, (question) => {
      const { timeoutMs, perTryTimeoutMs } = outcomeOf(question.call);
      const expected = question.rpc.isStream ? 0 : question.rpc.timeoutMs;
      if (timeoutMs === expected && perTryTimeoutMs === 0) return [];
      return [`${titleOf(question)}: ${timeoutMs} ms, ${perTryTimeoutMs} ms an attempt, not ${expected} ms`];
    }),
    check('a forbidden rpc of a known service is left to the service to refuse', refusedThere, (question) =>
      routed(question, called.has(`${question.to} ${question.rpc.path}`) ? question.rpc.name : 'other'),
    ),
    check('a call to a service that is not needed ends in the sidecar', unknown, (question) => {
      const { upstream, error } = outcomeOf(question.call);
      return isClosed(upstream) ? [] : [`${titleOf(question)}: goes to ${upstream || error}`];
    }),
  ];
}

/** Whether a call with this destination leaves nowhere. */
function isClosed(upstream: string): boolean {
  return upstream === '' || upstream === 'BlackHoleCluster';
}

function outsideChecks({ model, region, outside }: Asked, outcomeOf: OutcomeOf): Check[] {
  const { egress } = model.installation.gateways;
  const gatewayHost = `${egress.name}.${egress.namespace}.svc.cluster.local`;
  const callers = new Set(model.workloads.filter(({ callsProviders }) => callsProviders).map(({ name }) => name));
  const open = new Map(openProviders(region).map(({ name, host }) => [host, name]));
  const [yes, no] = split(outside, ({ from, host }) => open.has(host) && (callers.has(from) || from === egress.name));
  return [
    check('a call to a provider goes to the egress gateway, and from there to the provider', yes, (question) => {
      const { upstream, error } = outcomeOf(question.call);
      const expected =
        question.from === egress.name
          ? `outbound|80||${question.host}`
          : `outbound|443|${open.get(question.host)}|${gatewayHost}`;
      return upstream === expected
        ? []
        : [`${question.from} to ${question.host}: ${upstream || error}, not ${expected}`];
    }),
    check('every other call to the outside is refused', no, (question) => {
      const { upstream } = outcomeOf(question.call);
      return isClosed(upstream) ? [] : [`${question.from} to ${question.host}: goes to ${upstream}`];
    }),
  ];
}

/** The gateway listens on one port, be it that of its pods or that of its Service: there, it passes the public name to the edge and nothing else. */
function publicCheck({ model, fromClients }: Asked, outcomeOf: OutcomeOf): Check {
  const { installation, workloads } = model;
  const entry = workloads.find(({ isEntry }) => isEntry)?.name ?? '';
  const edge = `outbound|${installation.ports.edge}||${hostOf(entry, installation)}`;
  const [named, others] = split(fromClients, ({ host }) => host === installation.publicHost);
  const passed = named.map(({ call }) => outcomeOf(call)).filter(({ upstream }) => upstream !== '');
  const problems = [
    ...(passed.length === 1 ? [] : [`${passed.length} ports pass the public name`]),
    ...passed.flatMap(({ upstream, retries, timeoutMs }) =>
      upstream === edge && retries === 0 && timeoutMs === 0
        ? []
        : [`the public name: to ${upstream}, ${retries} retries, ${timeoutMs} ms`],
    ),
    ...others
      .map(({ call }) => outcomeOf(call))
      .flatMap(({ upstream }) => (isClosed(upstream) ? [] : [`another name: to ${upstream}`])),
  ];
  return {
    name: 'the entrance passes the public name to the edge, without retries and timeout, and no other name',
    count: fromClients.length,
    problems,
  };
}

/** Providers that the overlay of a region opens; without regions, no component is installed. */
function openProviders(region: Region | undefined): readonly Provider[] {
  return providers.filter(({ name }) => region?.providers.includes(name) === true);
}

/** Calls to what a region holds never leave it; a stateless service has the other regions behind its own, through their gateways. */
function endpointCheck({ model, cluster, region }: Asked, { endpoints }: Report): Check {
  const shared = region === undefined ? [] : sharedHosts(model);
  const known = endpoints.filter(({ upstream }) => upstream.startsWith(`outbound|${model.installation.ports.grpc}||`));
  const problems = [...groupBy(known, ({ proxy, upstream }) => `${proxy} → ${upstream}`)].flatMap(([name, group]) => {
    const isShared = shared.some((host) => name.endsWith(`|${host}`));
    const [here, elsewhere] = split(group, (endpoint) => endpoint.region === cluster);
    const later = (endpoint: Endpoint) => here.every(({ priority }) => priority < endpoint.priority);
    return [
      ...(here.length === 0 ? [`${name}: no replica in ${cluster}`] : []),
      ...(!isShared && elsewhere.length > 0 ? [`${name}: leaves ${cluster} for ${elsewhere[0]?.address}`] : []),
      ...(isShared && elsewhere.length === 0 ? [`${name}: has no replica to fail over to`] : []),
      ...(isShared && !elsewhere.every(later) ? [`${name}: calls another region before its own has failed`] : []),
      ...(isShared && !elsewhere.every(({ port }) => port === 15443) ? [`${name}: not through a gateway`] : []),
    ];
  });
  return { name: 'calls stay in the region; stateless services fail over to the next', count: known.length, problems };
}

function limitCheck({ model }: Asked, { upstreams }: Report): Check {
  const known = upstreams.filter(({ name }) => name.startsWith(`outbound|${model.installation.ports.grpc}||`));
  const unlimited = 2 ** 32 - 1;
  return check(
    'calls, retries and ejections have limits',
    known,
    ({ proxy, name, retryBudget, maxEjection, maxRequests }) =>
      retryBudget > 0 && maxEjection >= 50 && maxRequests > 0 && maxRequests < unlimited
        ? []
        : [`${proxy} → ${name}: retry budget ${retryBudget} %, ejection ${maxEjection} %, ${maxRequests} requests`],
  );
}

function titleOf({ from, to, rpc }: RpcQuestion): string {
  return `${from} → ${to} ${rpc.name}`;
}

function check<T>(name: string, parts: readonly T[], problemsOf: (part: T) => readonly string[]): Check {
  return { name, count: parts.length, problems: parts.flatMap(problemsOf) };
}

function split<T>(parts: readonly T[], isFirst: (part: T) => boolean): [T[], T[]] {
  return [parts.filter(isFirst), parts.filter((part) => !isFirst(part))];
}

function groupBy<T>(parts: readonly T[], keyOfPart: (part: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const part of parts) groups.set(keyOfPart(part), [...(groups.get(keyOfPart(part)) ?? []), part]);
  return groups;
}
