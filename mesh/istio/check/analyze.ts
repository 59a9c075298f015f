import type { KubeObject } from '../render/objects.ts';
import { toCluster } from './cluster.ts';
import { credentials } from './rules/credentials.ts';
import { duplicateRules, ghostPrincipals, sharedAccounts, uncoveredWorkloads } from './rules/identity.ts';
import { duplicates, images, targets } from './rules/objects.ts';
import { podSecurity } from './rules/pod-security.ts';
import { ports } from './rules/ports.ts';
import type { Rule } from './rules/rule.ts';
import { deadSelectors } from './rules/selectors.ts';
import { destinations, subsets, tlsModes } from './rules/traffic.ts';

export const rules: readonly Rule[] = [
  ghostPrincipals,
  duplicateRules,
  uncoveredWorkloads,
  sharedAccounts,
  deadSelectors,
  tlsModes,
  destinations,
  subsets,
  ports,
  duplicates,
  targets,
  images,
  podSecurity,
  credentials,
];

/** Returns what is wrong with the objects of one cluster: the rule, and each place. */
export function analyze(objects: readonly KubeObject[]): string[] {
  const cluster = toCluster(objects);
  return rules.flatMap(({ name, find }) => find(cluster).map((place) => `${name}: ${place}`));
}
