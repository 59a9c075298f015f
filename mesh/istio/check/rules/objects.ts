import type { KubeObject } from '../../render/objects.ts';
import { at, listAt, placeOf, titleOf } from '../cluster.ts';
import type { Rule } from './rule.ts';

/** Kinds of which a host or a workload has one; with two, one of them is ignored without a word. */
const keys: Readonly<Record<string, (object: KubeObject) => string[]>> = {
  DestinationRule: ({ spec }) => [
    `host ${String(at(spec, 'host'))} for ${JSON.stringify(at(spec, 'exportTo') ?? ['*'])}`,
  ],
  VirtualService: ({ spec }) =>
    listAt<string>(spec, 'hosts').map((host) => `host ${host} at ${JSON.stringify(at(spec, 'gateways') ?? ['mesh'])}`),
  Sidecar: (object) => [
    `workload ${placeOf(object).namespace} ${JSON.stringify(at(object.spec, 'workloadSelector') ?? 'all')}`,
  ],
  HorizontalPodAutoscaler: (object) => [
    `target ${placeOf(object).namespace} ${JSON.stringify(at(object.spec, 'scaleTargetRef'))}`,
  ],
};

/** KIA0201, KIA1106: two objects with one name, and two rules for one thing. */
export const duplicates: Rule = {
  name: 'no object is there twice, and nothing has two rules',
  find({ objects }) {
    const names = objects.map((object) => `${object.apiVersion} ${titleOf(object)}`);
    const things = objects.flatMap((object) =>
      (keys[object.kind]?.(object) ?? []).map((key) => `${object.kind}, ${key}`),
    );
    // Rules of one gateway for several providers are merged: they differ in their subsets.
    const isMerged = (thing: string) => /^DestinationRule, host ragmesh-egress\./.test(thing);
    return [...repeated(names), ...repeated(things.filter((thing) => !isMerged(thing)))];
  },
};

function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}

/** What scales or is mounted must exist; with two scalers of one workload they would fight. */
export const targets: Rule = {
  name: 'every scaler has a target and every ConfigMap that a pod uses exists',
  find(cluster) {
    const known = new Set(
      cluster.objects.map((object) => `${object.kind} ${placeOf(object).namespace}/${placeOf(object).name}`),
    );
    const scalers = [...cluster.of('HorizontalPodAutoscaler'), ...cluster.of('ScaledObject')];
    const lost = scalers.flatMap((scaler) => {
      const { kind, name } = at(scaler.spec, 'scaleTargetRef') as { kind: string; name: string };
      return known.has(`${kind} ${placeOf(scaler).namespace}/${name}`)
        ? []
        : [`${titleOf(scaler)} scales ${kind} ${name}, which does not exist`];
    });
    const scaled = scalers.map(
      (scaler) => `${placeOf(scaler).namespace}/${String(at(scaler.spec, 'scaleTargetRef', 'name'))}`,
    );
    const mounted = cluster.of('Deployment').flatMap((deployment) =>
      listAt<{ configMap?: { name: string } }>(deployment.spec, 'template', 'spec', 'volumes').flatMap(
        ({ configMap }) => {
          const name = `ConfigMap ${placeOf(deployment).namespace}/${configMap?.name}`;
          return configMap === undefined || known.has(name)
            ? []
            : [`${titleOf(deployment)} mounts ${name}, which does not exist`];
        },
      ),
    );
    return [...lost, ...repeated(scaled).map((name) => `${name} has two scalers`), ...mounted];
  },
};

/** An image without a fixed version is another one tomorrow. */
export const images: Rule = {
  name: 'every image has a tag or a digest, and none is "latest"',
  find: (cluster) =>
    cluster.pods.flatMap(({ namespace, name, containers }) =>
      containers
        // Istio's injector sets the image of a gateway.
        .filter(({ image }) => image !== 'auto' && !/^[^@]+(:(?!latest$)[\w][\w.-]*|@sha256:[0-9a-f]{64})$/.test(image))
        .map(({ image }) => `${namespace}/${name} runs ${image}`),
    ),
};
