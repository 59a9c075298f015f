import type { KubeObject } from '../../render/objects.ts';
import { at, type Cluster, listAt, placeOf, titleOf } from '../cluster.ts';
import type { Rule } from './rule.ts';

interface Container {
  readonly name: string;
  readonly ports?: readonly { readonly hostPort?: number }[];
  readonly securityContext?: SecurityContext;
}

interface SecurityContext {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly seccompProfile?: { readonly type: string };
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  readonly sysctls?: readonly { readonly name: string }[];
}

const level = 'pod-security.kubernetes.io/enforce';

/**
 * What the API server refuses in a namespace of the level "restricted": the Pod Security Standards of Kubernetes. It sees pods as they are after
 * the injection of a sidecar, so `npm run mesh:check` applies the rule to these too.
 */
export const podSecurity: Rule = {
  name: 'every pod is allowed in its namespace by the Pod Security Standards, which is "restricted"',
  find: (cluster) =>
    [...cluster.of('Deployment'), ...cluster.of('StatefulSet')].flatMap((object) => {
      const { namespace } = placeOf(object);
      const found = levelOf(cluster, namespace);
      if (found !== 'restricted') return [`${titleOf(object)}: the level of ${namespace} is ${found ?? 'not set'}`];
      return problemsOf(at(object.spec, 'template', 'spec')).map((problem) => `${titleOf(object)}: ${problem}`);
    }),
};

function levelOf(cluster: Cluster, namespace: string): string | undefined {
  const found: KubeObject | undefined = cluster.of('Namespace').find(({ metadata }) => metadata?.name === namespace);
  return found?.metadata?.labels?.[level];
}

/** Volumes that read nothing of the node. */
const volumeKinds = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

/** Settings of the kernel that are those of the pod alone. */
const safeSysctls = new Set(['net.ipv4.ip_unprivileged_port_start']);

function problemsOf(pod: unknown): string[] {
  const whole = (at(pod, 'securityContext') ?? {}) as SecurityContext;
  const containers = [...listAt<Container>(pod, 'initContainers'), ...listAt<Container>(pod, 'containers')];
  const isShared = ['hostNetwork', 'hostPID', 'hostIPC'].filter((key) => at(pod, key) === true);
  const volumes = listAt<Record<string, unknown>>(pod, 'volumes')
    .flatMap(({ name: _, ...kind }) => Object.keys(kind))
    .filter((kind) => !volumeKinds.has(kind));
  const sysctls = (whole.sysctls ?? []).filter(({ name }) => !safeSysctls.has(name));
  return [
    ...isShared.map((key) => `${key} is set`),
    ...volumes.map((kind) => `a volume is a ${kind}`),
    ...sysctls.map(({ name }) => `the kernel setting ${name} is changed`),
    ...containers.flatMap((container) =>
      containerProblems(container, whole).map((problem) => `container ${container.name} ${problem}`),
    ),
  ];
}

function containerProblems({ securityContext: own = {}, ports = [] }: Container, whole: SecurityContext): string[] {
  const { add = [], drop = [] } = own.capabilities ?? {};
  const user = own.runAsUser ?? whole.runAsUser;
  const seccomp = (own.seccompProfile ?? whole.seccompProfile)?.type;
  const checks: readonly (readonly [boolean, string])[] = [
    [own.privileged === true, 'is privileged'],
    [own.allowPrivilegeEscalation !== false, 'may escalate its privileges'],
    [(own.runAsNonRoot ?? whole.runAsNonRoot) !== true || user === 0, 'may run as root'],
    [!drop.includes('ALL'), 'does not drop all capabilities'],
    [add.some((each) => each !== 'NET_BIND_SERVICE'), `adds ${add.join(', ')}`],
    [seccomp !== 'RuntimeDefault' && seccomp !== 'Localhost', 'has no seccomp profile'],
    [ports.some(({ hostPort = 0 }) => hostPort !== 0), 'takes a port of the node'],
  ];
  return checks.filter(([isBroken]) => isBroken).map(([, problem]) => problem);
}
