import type { KubeObject } from './objects.ts';

/** Returns a file of Kustomize that lists other files and folders. */
export function renderKustomization(
  resources: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): KubeObject {
  return { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources, ...more };
}
