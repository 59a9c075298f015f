import type { Dashboard, Panel } from './panel.ts';
import { edges, providers, regions } from './platform-dashboards.ts';
import { cache, indexer, overview, stages } from './service-dashboards.ts';

/** Every dashboard. */
export const dashboards: readonly Dashboard[] = [overview, stages, providers, cache, indexer, edges, regions];

/** Panels of a row, and their height in units of Grafana's grid, which is 24 wide. */
const panelsOfRow = 3;
const panelHeight = 8;

/** Returns the dashboard as Grafana's JSON. */
export function renderDashboard({ name, title, panels }: Dashboard): string {
  const dashboard = {
    uid: name,
    title,
    tags: ['ragmesh'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: 'browser',
    links: [{ type: 'dashboards', title: 'ragmesh', tags: ['ragmesh'], asDropdown: true }],
    templating: { list: [dataSource, region] },
    panels: panels.map(toPanel),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

const dataSource = { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' };

const region = {
  name: 'region',
  label: 'Region',
  type: 'query',
  datasource: { type: 'prometheus', uid: '$datasource' },
  query: { query: 'label_values(ragmesh_build_info, region)', refId: 'region' },
  refresh: 2,
  includeAll: true,
  multi: true,
  // Also right if no series has the label.
  allValue: '.*',
  current: { text: 'All', value: '$__all' },
};

function toPanel({ title, description, kind, unit, queries }: Panel, index: number): object {
  const width = 24 / panelsOfRow;
  const [row, column] = [Math.floor(index / panelsOfRow), index % panelsOfRow];
  return {
    id: index + 1,
    type: kind,
    title,
    ...(description !== undefined && { description }),
    datasource: { type: 'prometheus', uid: '$datasource' },
    gridPos: { h: panelHeight, w: width, x: column * width, y: row * panelHeight },
    fieldConfig: {
      defaults: { unit, min: 0, ...(kind === 'timeseries' && { custom: { fillOpacity: 8 } }) },
      overrides: [],
    },
    options:
      kind === 'stat'
        ? { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'none' }
        : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(({ expr, legend }, number) => ({
      refId: String.fromCharCode(65 + number),
      expr,
      legendFormat: legend,
      // Points of traces beside the lines.
      ...(expr.includes('_bucket{') && { exemplar: true }),
      ...(kind === 'stat' && { instant: true }),
    })),
  };
}
