import { parse } from 'yaml';
import type { KubeObject } from '../../render/objects.ts';
import { ofKind } from '../cluster/manifests.ts';
import type { Cluster, Pod } from '../cluster/pods.ts';

/** Values of the Secret that the manifests name. */
export interface Secrets {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly database: string;
  readonly redis: string;
  readonly apiKeySha256: string;
}

interface ConfigMap extends KubeObject {
  readonly kind: 'ConfigMap';
  readonly metadata: { readonly name: string };
  readonly data: Readonly<Record<string, string>>;
}

interface FromSecret {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef: { readonly key: string; readonly optional?: boolean } };
}

/** Returns the `ragmesh.yaml` of a pod, as a value, with what an installation adds to the section of a workload. */
export function configOfPod(
  { manifests }: Cluster,
  { deployment }: Pod,
  additions: Readonly<Record<string, object>>,
): object {
  // Kustomize ends the name with a hash of the content.
  const name = new RegExp(`^${deployment}-config-[a-z0-9]+$`);
  const found = ofKind<ConfigMap>(manifests, 'ConfigMap').find(({ metadata }) => name.test(metadata.name));
  if (found === undefined) throw new Error(`the manifests have no ConfigMap of ${deployment}`);
  const config = parse(found.data['ragmesh.yaml'] ?? '') as Record<string, object>;
  const sections = Object.entries(additions).filter(
    ([section]) => section in config || section === sectionOf(deployment),
  );
  return {
    ...config,
    ...Object.fromEntries(sections.map(([section, value]) => [section, { ...config[section], ...value }])),
  };
}

function sectionOf(deployment: string): string {
  return deployment.replaceAll('-', '_');
}

/** Returns the environment of the process of a pod: values as they are, secrets by their keys. */
export function environmentOf(
  { container: { env = [] } }: Pod,
  secrets: Secrets,
  dataFolder: string,
): Record<string, string> {
  const values: Readonly<Record<string, string>> = {
    'private-key': secrets.privateKey,
    'public-key': secrets.publicKey,
    database: secrets.database,
    redis: secrets.redis,
    'api-key-sha256': secrets.apiKeySha256,
  };
  const entries = (env as readonly FromSecret[]).flatMap(({ name, value, valueFrom }) => {
    const key = valueFrom?.secretKeyRef.key;
    const text = key === undefined ? value : values[key];
    if (text !== undefined) return [[name, text] as const];
    if (valueFrom?.secretKeyRef.optional === true) return [];
    throw new Error(`the lab has no value of ${name}`);
  });
  return { ...Object.fromEntries(entries), RAGMESH_DATA_DIR: dataFolder };
}
