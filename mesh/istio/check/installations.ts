import { stringify } from 'yaml';
import { folder } from '../render/files.ts';
import type { KubeObject } from '../render/objects.ts';
import { createCompose } from './compose.ts';

/** Returns the folders that are installed as they are, relative to the folder of manifests: topologies and overlays. */
export function installations(files: ReadonlyMap<string, string>): string[] {
  const pattern = new RegExp(`^${folder}/((?:topologies|overlays)/[^/]+)/kustomization.yaml$`);
  return [...files.keys()].flatMap((path) => pattern.exec(path)?.[1] ?? []).sort();
}

/** Components that only extend another one. */
const bases: Readonly<Record<string, string>> = {
  'keda-kafka': 'keda',
  'stores-external/elasticsearch': 'stores-external',
  'stores-external/kafka': 'stores-external',
  'stores-external/qdrant': 'stores-external',
};

/** Returns `files` with an overlay for each component, which no committed overlay may use: `overlays/with-<component>`. */
export function withTrials(files: ReadonlyMap<string, string>): Map<string, string> {
  const pattern = new RegExp(`^${folder}/(components(?:-grouped)?)/(.+)/kustomization.yaml$`);
  const trials = new Map(files);
  for (const [, top = '', name = ''] of [...files.keys()]
    .flatMap((path) => [pattern.exec(path) ?? []])
    .filter(({ length }) => length > 0)) {
    const base = bases[name];
    const components = [...(base === undefined ? [] : [base]), name].map((component) => `../../${top}/${component}`);
    const topology = top === 'components' ? 'services' : 'grouped';
    const trial = { resources: [`../../topologies/${topology}`], components };
    trials.set(`${folder}/overlays/with-${topology}-${name.replace('/', '-')}/kustomization.yaml`, stringify(trial));
  }
  return trials;
}

/** Returns the objects of all installations, with those of trials; ConfigMaps as well. */
export function everyObject(files: ReadonlyMap<string, string>): KubeObject[] {
  const trials = withTrials(files);
  const compose = createCompose(trials);
  return installations(trials).flatMap((path) => compose(`${folder}/${path}`));
}
