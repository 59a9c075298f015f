import { dashboards, renderDashboard } from '../../../observability/dashboards/grafana.ts';
import type { Dashboard } from '../../../observability/dashboards/panel.ts';
import { ruleGroups } from '../../../observability/rules.ts';
import type { Model } from '../../model/model.ts';
import type { KubeObject } from '../objects.ts';
import type { Component } from './component.ts';

/** Label by which the Prometheus of an installation finds monitors. */
const release = { release: 'prometheus' };

/**
 * Returns the component by which the Prometheus operator scrapes pods: one page for the process and its sidecar together, which needs no exception of
 * mTLS. With it come the rules and the dashboards of `deployments/observability`, and processes send their traces to the collector.
 */
export function renderMonitoring({ installation }: Model): Component {
  const { namespace, gateways, monitoringNamespace } = installation;
  const endpoint = {
    portNumber: 15020,
    path: '/stats/prometheus',
    scheme: 'http',
    interval: '15s',
    scrapeTimeout: '10s',
    relabelings: [
      { sourceLabels: ['__meta_kubernetes_pod_label_app'], targetLabel: 'app' },
      { sourceLabels: ['__meta_kubernetes_pod_label_version'], targetLabel: 'version' },
    ],
  };
  const monitor = (name: string, namespaces: readonly string[]): KubeObject => ({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PodMonitor',
    metadata: { name, namespace: monitoringNamespace, labels: release },
    spec: {
      // A job "ragmesh", whatever the monitor is called.
      jobLabel: 'app.kubernetes.io/part-of',
      namespaceSelector: { matchNames: namespaces },
      selector: { matchLabels: { 'app.kubernetes.io/part-of': 'ragmesh' } },
      podMetricsEndpoints: [endpoint],
    },
  });
  const controlPlane: KubeObject = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: { name: 'istiod', namespace: monitoringNamespace, labels: release },
    spec: {
      namespaceSelector: { matchNames: [installation.rootNamespace] },
      selector: { matchLabels: { app: 'istiod' } },
      endpoints: [{ port: 'http-monitoring', interval: '15s' }],
    },
  };
  const rules: KubeObject = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'ragmesh', namespace: monitoringNamespace, labels: release },
    spec: { groups: ruleGroups() },
  };
  return {
    path: 'monitoring',
    resources: {
      'monitors.yaml': [
        monitor('ragmesh', [namespace, installation.storesNamespace]),
        monitor(
          'ragmesh-gateways',
          Object.values(gateways).map((gateway) => gateway.namespace),
        ),
        controlPlane,
      ],
      'rules.yaml': [rules],
      'dashboards.yaml': dashboards.map((dashboard) => dashboardMap(dashboard, monitoringNamespace)),
    },
    patches: [
      {
        target: { group: 'apps', kind: 'Deployment', namespace },
        change: [
          {
            op: 'add',
            path: '/spec/template/spec/containers/0/env/-',
            value: {
              name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
              value: `http://otel-collector.${monitoringNamespace}.svc.cluster.local:4318`,
            },
          },
        ],
      },
    ],
  };
}

/** Returns a dashboard as the sidecar of Grafana finds it: by the label of a ConfigMap. */
function dashboardMap(dashboard: Dashboard, namespace: string): KubeObject {
  const text = JSON.stringify(JSON.parse(renderDashboard(dashboard)));
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: dashboard.name, namespace, labels: { grafana_dashboard: '1' } },
    data: { [`${dashboard.name}.json`]: text },
  };
}
