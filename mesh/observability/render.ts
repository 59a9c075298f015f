import { dashboards, renderDashboard } from './dashboards/grafana.ts';
import { renderRules } from './rules.ts';

/** Returns the generated files of `deployments/observability`, by their path in the repository. */
export function renderObservability(): Map<string, string> {
  const folder = 'deployments/observability';
  return new Map([
    [`${folder}/rules.yaml`, renderRules()],
    ...dashboards.map((each): [string, string] => [`${folder}/dashboards/${each.name}.json`, renderDashboard(each)]),
  ]);
}
