import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dashboards } from '../../../observability/dashboards/grafana.ts';
import { services } from '../../../run.ts';
import { root } from '../../../tools.ts';
import { createModel } from '../../model/model.ts';
import { renderMonitoring } from './monitoring.ts';

test('Grafana gets every dashboard of the repository', () => {
  const maps = renderMonitoring(createModel(services, 'services')).resources['dashboards.yaml'] ?? [];
  const texts = maps.flatMap(({ data }) => Object.entries(data as Record<string, string>));
  expect(texts.map(([file]) => file)).toEqual(dashboards.map(({ name }) => `${name}.json`));
  for (const [file, text] of texts) {
    const own = readFileSync(join(root, 'deployments/observability/dashboards', file), 'utf8');
    expect(JSON.parse(text), file).toEqual(JSON.parse(own));
  }
  for (const { metadata } of maps) expect(metadata?.labels).toEqual({ grafana_dashboard: '1' });
});
