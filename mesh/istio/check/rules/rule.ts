import type { Cluster } from '../cluster.ts';

/** A rule over what one cluster gets: what neither schemas nor Istio's own analyzers see. */
export interface Rule {
  /** A sentence that holds for correct manifests. */
  readonly name: string;
  /** Returns each place that breaks the rule. */
  find(cluster: Cluster): string[];
}
