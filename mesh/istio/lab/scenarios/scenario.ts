import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { PodClient } from '../clients/pod-client.ts';
import type { Provider } from '../clients/provider.ts';
import type { PublicClientOptions } from '../clients/public-client.ts';
import type { Lab } from '../run/lab.ts';

/** What every scenario works with. */
export interface Scene {
  readonly lab: Lab;
  /** The cluster of the callers, and the other one; "" in an installation of one cluster. */
  readonly home: string;
  readonly away: string;
  readonly provider: Provider;
  readonly entry: PublicClientOptions;
  /** Headers of clients with the API key of the installation. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Signs tokens of the identity provider of end users, with further claims. `isForged`: by another key. */
  endUserToken(claims: Readonly<Record<string, string>>, isForged?: boolean): Promise<string>;
  /** Returns headers of a call inside of the mesh, for a tenant. */
  meshHeaders(tenant?: string): Promise<Record<string, string>>;
  /** Returns the caller on the host of a pod. */
  from(pod: string): PodClient;
  /** Returns a client at the ingress gateway, with a connection of its own. */
  publicClient<T extends DescService>(contract: T): Client<T>;
  /** How long the long stream lives, in milliseconds. */
  readonly streamMs: number;
}

/**
 * What a lab may have: a real API server, the lab's own control plane, or two regions with each service in pods of its own, by whose names a
 * scenario calls.
 */
export type Feature = 'kube' | 'own control plane' | 'regions';

/** One claim about the running mesh. */
export interface Scenario {
  readonly name: string;
  /** What it needs of the lab. @default nothing */
  readonly needs?: readonly Feature[];
  /** Does it. Returns what was seen, in a few words; throws if the claim does not hold. */
  run(scene: Scene): Promise<string>;
}

/** Throws the problems of a scenario, if there are some. */
export function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, 10).join('\n');
  throw new Error(problems.length > 10 ? `${shown}\n… and ${problems.length - 10} more` : shown);
}

/** Waits until a check resolves to true. Throws after `timeoutMs`, 120 s unless it is given. */
export async function until(title: string, check: () => Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`${title}: not in ${timeoutMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
