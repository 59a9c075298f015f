import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parse, stringify } from 'yaml';
import { root } from '../../../tools.ts';
import { installation } from '../../model/installation.ts';
import type { Topology } from '../../model/model.ts';
import { regions } from '../../model/regions.ts';
import { componentsFolder } from '../../render/components/component.ts';
import { folder } from '../../render/files.ts';
import { adjustObjects, type Keys } from './adjust.ts';
import { kubernetesObjects } from './kubernetes.ts';
import { meshObjects, parseObjects, toStream } from './manifests.ts';
import { type Cluster, type Pod, placeCluster } from './pods.ts';

/** An installation as `kubectl apply -k` makes it: one cluster, or one for each region. */
export interface Installation {
  readonly name: string;
  readonly topology: Topology;
  readonly clusters: readonly Cluster[];
  /** Configuration of the mesh of each cluster, as YAML. */
  readonly meshConfigs: ReadonlyMap<string, string>;
}

/** What a control plane is given, see input.go. */
export interface ControlPlaneInput {
  readonly cluster: string;
  readonly kubernetes: Readonly<Record<string, string>>;
  readonly istio: string;
  readonly meshConfig: string;
}

/** How to read and place an installation. */
export interface Reading {
  /** Returns what Kustomize makes of a folder, as YAML. */
  readonly kustomize: (folder: string) => string;
  readonly keys: Keys;
  /** Replicas of a Deployment in a cluster. */
  readonly replicasOf: (deployment: string, cluster: string) => number;
}

/** Returns an installation in one cluster. */
export function readOneCluster(topology: Topology, reading: Reading): Installation {
  return read(
    topology,
    topology,
    new Map([['local', { top: `topologies/${topology}`, values: 'istiod.yaml' }]]),
    reading,
  );
}

/** Returns an installation in one cluster with opt-in parts. */
export function readWithComponents(topology: Topology, names: readonly string[], reading: Reading): Installation {
  const top = mkdtempSync(join(tmpdir(), 'ragmesh-overlay-'));
  try {
    // Kustomize takes no absolute paths.
    const path = (part: string) => relative(realpathSync(top), join(root, folder, part));
    const components = names.map((name) => path(`${componentsFolder({ topology })}/${name}`));
    const overlay = { resources: [path(`topologies/${topology}`)], components };
    writeFileSync(join(top, 'kustomization.yaml'), stringify(overlay));
    const kustomize = () => reading.kustomize(top);
    return { ...readOneCluster(topology, { ...reading, kustomize }), name: `${topology} with ${names.join(', ')}` };
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

/** Returns the installation in all regions. */
export function readRegions(reading: Reading): Installation {
  const places = regions.map(({ name }) => [name, { top: `overlays/region-${name}`, values: `istiod-${name}.yaml` }]);
  return read('regions', 'services', new Map(places as [string, Source][]), reading);
}

interface Source {
  readonly top: string;
  readonly values: string;
}

function read(
  name: string,
  topology: Topology,
  sources: ReadonlyMap<string, Source>,
  { kustomize, keys, replicasOf }: Reading,
): Installation {
  const clusters = [...sources].map(([cluster, { top }], at) => {
    const objects = adjustObjects(parseObjects(kustomize(join(root, folder, top))), keys);
    const placement = { index: at + 1, replicasOf: (deployment: string) => replicasOf(deployment, cluster) };
    return placeCluster({ cluster, objects }, placement);
  });
  const meshConfigs = [...sources].map(([cluster, { values }]): [string, string] => {
    const { meshConfig } = parse(readFileSync(join(root, folder, 'istio', values), 'utf8')) as { meshConfig: object };
    return [cluster, stringify(meshConfig)];
  });
  return { name, topology, clusters, meshConfigs: new Map(meshConfigs) };
}

/** What the lab adds to what {@link controlPlaneInput} returns. */
export interface Additions {
  /** Whether a pod gets calls from the start. */
  readonly isReady?: (pod: Pod) => boolean;
  /** Further objects of Kubernetes, in every cluster. */
  readonly objects?: readonly object[];
}

/** Returns what the control plane of one cluster knows: its own configuration, and the pods and services of all clusters. */
export function controlPlaneInput(
  { clusters, meshConfigs }: Installation,
  own: Cluster,
  { isReady, objects = [] }: Additions = {},
): ControlPlaneInput {
  const { cluster } = own.manifests;
  return {
    cluster,
    kubernetes: Object.fromEntries(
      clusters.map((each) => [
        each.manifests.cluster,
        toStream([...kubernetesObjects(each, installation.rootNamespace, isReady), ...objects]),
      ]),
    ),
    istio: toStream(meshObjects(own.manifests)),
    meshConfig: meshConfigs.get(cluster) ?? '',
  };
}
