/** What the simulation reports of one call, see simulate_test.go. */
export interface Outcome {
  readonly proxy: string;
  readonly host: string;
  readonly path: string;
  readonly error: string;
  /** Name of the cluster of Envoy that the call goes to: "outbound|50051||chat.ragmesh.svc.cluster.local". */
  readonly upstream: string;
  readonly route: string;
  readonly retryOn: string;
  readonly retries: number;
  readonly timeoutMs: number;
  readonly perTryTimeoutMs: number;
}

/** A replica, or a gateway on the way to it, as a proxy knows it. */
export interface Endpoint {
  readonly proxy: string;
  readonly upstream: string;
  readonly region: string;
  readonly address: string;
  readonly priority: number;
  readonly port: number;
}

/** How a proxy treats a host and port. */
export interface Upstream {
  readonly proxy: string;
  readonly name: string;
  readonly retryBudget: number;
  readonly maxEjection: number;
  readonly maxRequests: number;
}

/** What the control plane of one cluster makes of the manifests. */
export interface Report {
  readonly outcomes: readonly Outcome[];
  readonly endpoints: readonly Endpoint[];
  readonly upstreams: readonly Upstream[];
}

/** Returns the report that the program has written. */
export function parseReport(json: string): Report {
  return lowerNames(JSON.parse(json)) as Report;
}

/** Returns a value of Go with names as TypeScript writes them: "TimeoutMs" as "timeoutMs". A list that Go left empty is empty. */
function lowerNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [`${name.charAt(0).toLowerCase()}${name.slice(1)}`, lowerNames(part)]),
  );
}
