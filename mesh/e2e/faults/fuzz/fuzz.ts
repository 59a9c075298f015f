import { Code } from '@connectrpc/connect';
import fc from 'fast-check';
import { Health } from '#gen/health/v1/health_pb.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { isPublic } from '#kit/rpc/policy.ts';
import { routeSchemas } from '../../../../services/edge/testing/route-schemas.ts';
import { faultOf, outcomeOf } from './judge.ts';
import { type FuzzRequest, jsonRequests, pathRequests, rpcRequests } from './requests.ts';
import { createFuzzClient } from './send.ts';
import type { KnownValues } from './values.ts';

/** What the fuzzer has found. */
export interface FuzzReport {
  count: number;
  /** Requests whose outcome is the server's fault, with how to send them again; the first {@link maxShown}. */
  faults: { name: string; fault: string; reply: string; request: FuzzRequest }[];
  faultCount: number;
  /** How many requests ended with each code; "OK" without one. */
  codes: Map<string, number>;
  /** The longest time of each name, in milliseconds. */
  slowestMs: Map<string, number>;
}

const maxShown = 50;
/** Requests that are made at a time: of each batch, a seed makes the same again. */
const batchSize = 200;

/** Returns an arbitrary of requests to every public rpc and every route of the edge. */
export function edgeRequests(
  services: readonly ServiceDefinition[],
  known: KnownValues,
  key: string,
): fc.Arbitrary<FuzzRequest> {
  const methods = services.flatMap(({ contracts }) =>
    contracts.flatMap((contract) => contract.methods.filter(isPublic)),
  );
  return fc.oneof(
    { weight: 12, arbitrary: rpcRequests([...methods, ...Health.methods], known, key) },
    { weight: 4, arbitrary: jsonRequests(routeSchemas, known, key) },
    { weight: 1, arbitrary: pathRequests(key) },
  );
}

/**
 * Sends `count` requests to the server at `url`, `concurrency` at a time, and judges each reply. A reply after more than `timeoutMs` is a
 * fault, as is a connection that ends without one. The same seed sends the same requests.
 */
export async function fuzz(
  url: string,
  requests: fc.Arbitrary<FuzzRequest>,
  options: {
    count: number;
    seed: number;
    concurrency: number;
    timeoutMs: number;
    onFault?: (fault: FuzzReport['faults'][number]) => void;
    progress?: (report: FuzzReport) => void;
  },
): Promise<FuzzReport> {
  const { count, seed, concurrency, timeoutMs } = options;
  const report: FuzzReport = { count: 0, faults: [], faultCount: 0, codes: new Map(), slowestMs: new Map() };
  const client = createFuzzClient(url);
  const one = async (request: FuzzRequest) => {
    const { name } = request;
    const startedAt = performance.now();
    let code = 'none';
    let reply = '';
    let fault: string | undefined;
    try {
      const got = await client.send(request, timeoutMs);
      const outcome = outcomeOf(got);
      code =
        outcome.code === 0
          ? outcome.status < 400
            ? 'OK'
            : `HTTP ${outcome.status}`
          : (Code[outcome.code] ?? 'Unknown');
      fault = faultOf(outcome);
      reply = outcome.message.slice(0, 600);
    } catch (error) {
      fault = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
    const tookMs = performance.now() - startedAt;
    report.count++;
    report.codes.set(code, (report.codes.get(code) ?? 0) + 1);
    report.slowestMs.set(name, Math.max(report.slowestMs.get(name) ?? 0, tookMs));
    if (fault === undefined) return;
    report.faultCount++;
    if (report.faults.length >= maxShown) return;
    const found = { name, fault, reply, request };
    report.faults.push(found);
    options.onFault?.(found);
  };
  try {
    for (let batch = 0; report.count < count; batch++) {
      const queue = fc.sample(requests, { numRuns: Math.min(batchSize, count - report.count), seed: seed + batch });
      const lane = async () => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) await one(next);
      };
      await Promise.all(Array.from({ length: concurrency }, lane));
      options.progress?.(report);
    }
  } finally {
    client.close();
  }
  return report;
}

/** Returns a fault as text, with what sends the same request again. */
export function describeFault({ name, fault, reply, request }: FuzzReport['faults'][number]): string {
  const { method, path, headers, body, httpVersion } = request;
  const head = Object.entries(headers)
    .filter(([key]) => key !== 'authorization')
    .map(([key, value]) => `${key}: ${value.slice(0, 80)}`);
  const bytes = Buffer.from(body);
  const shown = bytes.length <= 1500 ? JSON.stringify(bytes.toString('latin1')) : `${bytes.length} bytes`;
  return `${name}: ${fault}\n  HTTP/${httpVersion} ${method} ${path.slice(0, 300)}\n  ${head.join('; ')}\n  body ${shown}\n  reply ${JSON.stringify(reply)}`;
}
