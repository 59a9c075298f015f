import { describe, expect, test } from 'vitest';
import { checkServices } from '#kit/host/config/check-config.ts';
import { readConfigValue } from '#kit/host/config/config.ts';
import { services } from '../../../run.ts';
import { replicaProblems } from '../../check/replicas.ts';
import { createModel, topologies } from '../../model/model.ts';
import { configOf } from './config.ts';
import { renderDeployment } from './deployment.ts';

describe.each(topologies)('the configuration of the pods, topology %s', (topology) => {
  const model = createModel(services, topology);

  test.each(model.workloads.map((workload) => [workload.name, workload] as const))('%s', (_, workload) => {
    const { spec } = renderDeployment(workload, model) as unknown as { spec: { template: { spec: PodSpec } } };
    const env = Object.fromEntries(
      spec.template.spec.containers.flatMap(({ env }) => env).map(({ name }) => [name, exampleOf(name)]),
    );
    const { config, problems } = readConfigValue(configOf(workload, model), env);
    expect(problems.map(({ message }) => message)).toEqual([]);
    expect(checkServices(config, workload.services, services).map(({ message }) => message)).toEqual([]);
    expect(replicaProblems(workload, config)).toEqual([]);
  });
});

interface PodSpec {
  containers: { env: { name: string }[] }[];
}

function exampleOf(name: string): string {
  switch (name) {
    case 'RAGMESH_API_KEY_SHA256':
      return 'a'.repeat(64);
    case 'RAGMESH_DATABASE':
      return 'postgres://ragmesh@postgres/ragmesh';
    case 'RAGMESH_REDIS':
      return 'redis://redis:6379';
    default:
      return 'set';
  }
}
