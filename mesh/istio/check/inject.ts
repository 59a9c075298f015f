import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { KubeObject } from '../render/objects.ts';
import { at, listAt, titleOf, toCluster } from './cluster.ts';
import { parseObjects } from './compose.ts';
import { podSecurity } from './rules/pod-security.ts';

// Pods as a cluster runs them: with the sidecars that Istio's own injector adds, configured by our values for its chart. istioctl does both
// without a cluster.

/** Longest run of istioctl, in milliseconds. */
const timeoutMs = 60_000;

/** The settings of the injector: flags of istioctl that name files. */
type Injector = readonly string[];

/** Creates the injector that Istio's chart makes of a file of values. `scratch`: a folder for its files. */
export function createInjector(valuesPath: string, scratch: string): Injector {
  const given = parse(readFileSync(valuesPath, 'utf8')) as Record<string, unknown>;
  const path = (name: string) => join(scratch, name);
  // The operator's form of what concerns pods; it takes the switch of the CNI plugin from its own list of components.
  const components = { cni: { enabled: at(given, 'pilot', 'cni', 'enabled') === true } };
  const values = { global: given.global, pilot: { env: at(given, 'pilot', 'env') } };
  const spec = { profile: 'minimal', components, meshConfig: given.meshConfig, values };
  const operator = { apiVersion: 'install.istio.io/v1alpha1', kind: 'IstioOperator', spec };
  writeFileSync(path('operator.yaml'), stringify(operator));
  // An address at which nothing listens: istioctl asks no cluster, and must not find one.
  const cluster = { name: 'none', cluster: { server: 'http://127.0.0.1:1' } };
  const context = { name: 'none', context: { cluster: 'none', user: 'none' } };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [cluster],
    contexts: [context],
    'current-context': 'none',
  };
  writeFileSync(path('kubeconfig'), stringify({ ...config, users: [{ name: 'none', user: {} }] }));
  const nowhere = ['--kubeconfig', path('kubeconfig')];
  const maps = parseObjects(istioctl(['manifest', 'generate', ...nowhere, '-f', path('operator.yaml')]));
  const data = (name: string, key: string) => {
    const found = maps.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata?.name === name);
    const text = at(found, 'data', key);
    if (typeof text !== 'string') throw new Error(`istioctl made no ConfigMap ${name} with ${key}`);
    writeFileSync(path(`${name}.${key}`), text);
    return path(`${name}.${key}`);
  };
  const [templates, own] = ['config', 'values'].map((key) => data('istio-sidecar-injector', key));
  const files = { injectConfigFile: templates, valuesFile: own, meshConfigFile: data('istio', 'mesh') };
  const flags = Object.entries(files).flatMap(([name, file]) => [`--${name}`, file ?? '']);
  // Without a revision, istioctl asks a cluster for one.
  return [...nowhere, '--revision', 'default', ...flags];
}

/** Returns what is wrong with the pods of a file of objects once they have their sidecars. */
export function injectedProblems(injector: Injector, file: string): string[] {
  const objects = parseObjects(istioctl(['kube-inject', ...injector, '-f', file]));
  const cluster = toCluster(objects);
  return [...podSecurity.find(cluster), ...cluster.of('Deployment').flatMap(proxyProblems)];
}

/** A process has a native sidecar, which starts before it and ends after it, so that a Job ends too; a gateway is the proxy itself. */
function proxyProblems(deployment: KubeObject): string[] {
  const pod = at(deployment.spec, 'template', 'spec');
  const proxies = ['initContainers', 'containers'].flatMap((kind) =>
    listAt<{ name: string; image: string; restartPolicy?: string }>(pod, kind)
      .filter(({ name }) => name === 'istio-proxy')
      .map((container) => ({ ...container, kind })),
  );
  const [proxy, ...more] = proxies;
  if (proxy === undefined || more.length > 0) return [`${titleOf(deployment)} has ${proxies.length} proxies`];
  const isGateway = listAt(pod, 'containers').length === 1 && proxy.kind === 'containers';
  const isNative = proxy.kind === 'initContainers' && proxy.restartPolicy === 'Always';
  return [
    ...(isGateway || isNative ? [] : [`${titleOf(deployment)}: its sidecar is not a native one`]),
    ...(proxy.image === 'auto' ? [`${titleOf(deployment)}: the injector has set no image`] : []),
  ];
}

function istioctl(args: readonly string[]): string {
  const options = { encoding: 'utf8', maxBuffer: 256 << 20, timeout: timeoutMs } as const;
  const { status, stdout, stderr, error } = spawnSync('istioctl', args, options);
  if (status !== 0) throw new Error(`istioctl ${args[0]} failed: ${error?.message ?? ''}${stderr}`);
  return stdout;
}
