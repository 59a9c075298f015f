import { stringify } from 'yaml';
import { installation } from '../../model/installation.ts';
import type { Model } from '../../model/model.ts';
import { header } from '../objects.ts';

/** Returns `values.yaml`: what an installation changes. */
export function renderValues(model: Model): string {
  const { image, version, digest = version, publicHost, trustDomain } = installation;
  const workloads = Object.fromEntries(
    model.workloads.map(({ name, replicas, cpu, memoryMib }) => [name, { replicas, cpu: `${cpu * 1000}m`, memoryMib }]),
  );
  const parts: readonly (readonly [comment: string, values: object])[] = [
    ['The image: a tag or, better, a digest ("sha256:…") in its place.', { image: { repository: image, tag: digest } }],
    [
      'Name by which clients reach the edge, and the Secret with its certificate in the namespace istio-ingress.',
      { host: publicHost, tlsSecret: 'ragmesh-tls' },
    ],
    [
      'Secret in the namespace of the release: private-key, public-key, database, redis, api-key-sha256, and tool-private-key for tools.',
      { secret: 'ragmesh' },
    ],
    ['Trust domain of the mesh.', { trustDomain }],
    ['Replicas and resources. With equal least and most, there is no autoscaler.', { workloads }],
    [
      'More settings of ragmesh.yaml, by workload: models, keys, stores. They are merged into what the chart sets.',
      { config: {} },
    ],
    ['Gateways from clients and to providers.', { ingress: { enabled: true }, egress: { enabled: true } }],
    [
      'Providers of models: [{ name: openai, host: api.openai.com }]. The base_url of a model is then http://<host>/…',
      { providers: [] },
    ],
    [
      'Systems that tools call: [{ name: orders, host: orders.example.com }]. The URL of a tool is then http://<host>/…',
      { tools: [] },
    ],
    [
      'Places that sources of documents read over TLS: [{ name: help-center, host: help.example.com }].',
      { sources: [] },
    ],
    [
      'Stores outside of the cluster: [{ kind: postgres, host: db.example.com, cidr: 192.0.2.10/32, port: 5432 }].',
      { stores: [] },
    ],
    [
      'Sidecars check the token of the mesh with this JWKS: the output of `npm run token -- --jwks`.',
      { meshToken: { jwks: '' } },
    ],
    [
      'Name of the region, for the gateway between regions, and tenants that are bound to other regions.',
      { region: { name: '', tenantsElsewhere: [] } },
    ],
  ];
  return `${header}${parts.map(([comment, values]) => `\n# ${comment}\n${stringify(values, { lineWidth: 0 })}`).join('')}`;
}
