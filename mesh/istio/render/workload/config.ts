import type { JsonObject } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { variable } from '#kit/host/deployment.ts';
import { hostOf } from '../../model/installation.ts';
import { calleesOf, type Model } from '../../model/model.ts';
import type { Workload } from '../../model/workload.ts';
import { header, type KubeObject } from '../objects.ts';

/**
 * Returns `ragmesh.yaml` of a workload's pods as a value: what the mesh decides, and the stores that replicas share. Secrets are variables.
 * An installation replaces the file to add models and stores.
 */
export function configOf(workload: Workload, model: Model): JsonObject {
  return {
    grpc: { host: '0.0.0.0', drain_ms: workload.drainMs, retries: false },
    admin: { host: '0.0.0.0' },
    identity: workload.signsTokens
      ? { private_key: variable('RAGMESH_PRIVATE_KEY') }
      : { public_key: variable('RAGMESH_PUBLIC_KEY') },
    ...(workload.stores.includes('postgres') && { storage: { database: variable('RAGMESH_DATABASE') } }),
    ...sectionsOf(workload),
    addresses: addressesOf(workload, model),
  };
}

/** Returns the file of {@link configOf}. */
export function renderConfig(workload: Workload, model: Model): string {
  return `${header}${stringify(configOf(workload, model), { aliasDuplicateObjects: false })}`;
}

/** Returns what makes the ConfigMaps of workloads. A name ends with a hash of the content, so that a change replaces the pods. */
export function configMapsOf({ workloads, installation: { namespace } }: Model): Partial<KubeObject> {
  return {
    configMapGenerator: workloads.map(({ name }) => ({
      name: configNameOf(name),
      namespace,
      files: [`ragmesh.yaml=config/${name}.yaml`],
    })),
  };
}

/** Returns the name of the ConfigMap of a workload. */
export function configNameOf(workload: string): string {
  return `${workload}-config`;
}

/** The first key of an installation: it may do everything but call models directly. */
const firstKey = {
  id: 'first',
  sha256: variable('RAGMESH_API_KEY_SHA256'),
  tenant: 'demo',
  roles: ['ROLE_READER', 'ROLE_EDITOR', 'ROLE_AUDITOR', 'ROLE_OPERATOR'],
};

function sectionsOf({ services, isEntry }: Workload): JsonObject {
  const sections: JsonObject = Object.assign({}, ...services.map(({ deployment }) => deployment?.settings ?? {}));
  if (!isEntry) return sections;
  return { ...sections, edge: { host: '0.0.0.0', api_keys: [firstKey], ...(sections.edge as JsonObject | undefined) } };
}

function addressesOf(workload: Workload, model: Model): JsonObject {
  const callees = [...calleesOf(model, workload.name).keys()];
  const entries = callees.flatMap((callee) => {
    const { services = [] } = model.workloads.find(({ name }) => name === callee) ?? {};
    const address = `${hostOf(callee, model.installation)}:${model.installation.ports.grpc}`;
    return services.filter(({ contracts }) => contracts.length > 0).map(({ name }) => [name, address] as const);
  });
  return Object.fromEntries(entries);
}
