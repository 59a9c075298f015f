import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { renderFiles } from '../istio/render/files.ts';
import { services } from '../run.ts';
import { root } from '../tools.ts';
import { readCompose } from './testing/compose.ts';

// The same image runs under compose and on Kubernetes: what one gives a container, the other gives it too.

interface Container {
  args: string[];
  env: { name: string; valueFrom?: { secretKeyRef?: { optional?: boolean } } }[];
  ports: { containerPort: number }[];
  volumeMounts: { mountPath: string }[];
}

interface Deployment {
  kind: string;
  metadata: { name: string };
  spec: { template: { spec: { containers: Container[]; securityContext: { runAsUser: number } } } };
}

const pods = [...renderFiles(services)]
  .filter(([path]) => path.includes('topologies/services/workloads/'))
  .flatMap(([, text]) => parseAllDocuments(text).map((document) => document.toJS() as Deployment))
  .filter(({ kind }) => kind === 'Deployment')
  .map(({ metadata, spec: { template } }) => ({
    name: metadata.name,
    pod: template.spec,
    container: template.spec.containers[0] as Container,
  }));

const compose = Object.entries(readCompose('compose.full.yaml').services).filter(
  ([, { command }]) => command?.[0] === '--services',
);
const dockerfile = readFileSync(join(root, 'deployments/Dockerfile'), 'utf8');
const secrets = readFileSync(join(root, 'deployments/compose/secrets.mjs'), 'utf8');
const unique = <T>(list: readonly T[]) => [...new Set(list)].sort();

test('there are the same containers, with the same arguments', () => {
  expect(compose.map(([name, { command }]) => [name, command]).sort()).toEqual(
    pods.map(({ name, container }) => [name, container.args]).sort(),
  );
});

test('they get the same variables', () => {
  // What is optional belongs to what an installation adds: the key for tools.
  const needed = pods.flatMap(({ container }) =>
    container.env.filter((each) => each.valueFrom?.secretKeyRef?.optional !== true),
  );
  const ofPods = unique(needed.map(({ name }) => name));
  const ofSecrets = [...secrets.matchAll(/[`'](RAGMESH_[A-Z_0-9]+)=/g)].map(([, name]) => name as string);
  const ofCompose = unique([...ofSecrets, ...compose.flatMap(([, { environment = {} }]) => Object.keys(environment))]);
  // A client's key, and where traces go: an operator of the mesh injects that.
  expect(ofCompose.filter((name) => name !== 'RAGMESH_API_KEY' && !name.startsWith('OTEL_'))).toEqual(ofPods);
});

test('they open the same ports, which the image declares', () => {
  const ofPods = unique(
    pods.flatMap(({ container }) => container.ports.map(({ containerPort }) => String(containerPort))),
  );
  const ofCompose = unique(
    compose.flatMap(([, { ports = [] }]) => ports.map((port) => port.split(':').at(-1) as string)),
  );
  expect(ofCompose).toEqual(ofPods);
  expect(unique(/^EXPOSE (.+)$/m.exec(dockerfile)?.[1]?.split(' ') ?? [])).toEqual(ofPods);
});

test('they write to the same places, as the same user, and read the configuration from the same file', () => {
  for (const { pod, container } of pods) {
    const ofCompose = compose.flatMap(([, { tmpfs = [], volumes = [] }]) => [
      ...tmpfs.map((mount) => mount.split(':')[0]),
      ...volumes.map((mount) => mount.split(':')[1]?.replace(/\/ragmesh\.yaml$/, '')),
    ]);
    expect(unique(ofCompose).filter((path) => path !== '/secrets')).toEqual(
      unique(container.volumeMounts.map(({ mountPath }) => mountPath)),
    );
    expect(dockerfile).toContain(`USER ${pod.securityContext.runAsUser}:${pod.securityContext.runAsUser}\n`);
    expect(
      compose.every(([, { user }]) => user === `${pod.securityContext.runAsUser}:${pod.securityContext.runAsUser}`),
    ).toBe(true);
  }
});

test('the image is built from named versions, runs without a package manager, and says whether it is well', () => {
  const stages = dockerfile.split(/^FROM /m).slice(1);
  expect(dockerfile).toMatch(/^ARG NODE_IMAGE=node:24[\w.-]*$/m);
  expect(dockerfile).not.toContain(':latest');
  for (const stage of stages) expect(stage).toMatch(/^(scratch|\$\{NODE_IMAGE\})/);
  const last = stages.at(-1) ?? '';
  expect(last).toMatch(/rm -rf \/usr\/local\/lib\/node_modules .*\/npm/);
  expect(last).not.toMatch(/apt-get|npm (ci|install)/);
  expect(last).toMatch(/^HEALTHCHECK [\s\S]*9464\/readyz/m);
  expect(last).toContain('ENTRYPOINT ["node", "mesh/run.ts"]');
  expect(dockerfile).toContain('npm sbom');
});
