import { expect, test } from 'vitest';
import { services } from '../../../run.ts';
import { createModel } from '../../model/model.ts';
import { renderDestinationRule } from './destination-rule.ts';

const model = createModel(services, 'services');

interface Policy {
  outlierDetection: { consecutiveGatewayErrors: number; maxEjectionPercent: number };
  retryBudget: { minRetryConcurrency: number };
}

const policies = model.workloads.map((workload) => {
  const { spec } = renderDestinationRule(workload, model) as unknown as { spec: { trafficPolicy: Policy } };
  return { workload, policy: spec.trafficPolicy };
});

test('what fails over is left out for UNAVAILABLE, or a region whose processes have died would keep its calls', () => {
  const shared = policies.filter(({ workload }) => workload.failsOver);
  expect(shared.length).toBeGreaterThan(0);
  for (const { policy } of shared) {
    expect(policy.outlierDetection.consecutiveGatewayErrors).toBeGreaterThan(0);
    expect(policy.outlierDetection.maxEjectionPercent).toBe(100);
  }
});

test('what calls providers and cannot fail over is not left out for what a provider answers', () => {
  const regional = policies.filter(({ workload }) => workload.callsProviders && !workload.failsOver);
  expect(regional.map(({ workload }) => workload.name)).toEqual(['llm-gateway']);
  for (const { policy } of regional) expect(policy.outlierDetection.consecutiveGatewayErrors).toBe(0);
});

test('a few calls in flight may all be retried: a replica that dies fails them at the same moment', () => {
  for (const { policy } of policies) expect(policy.retryBudget.minRetryConcurrency).toBeGreaterThanOrEqual(10);
});
