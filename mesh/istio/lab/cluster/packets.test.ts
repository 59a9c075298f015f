import { expect, test } from 'vitest';
import { packetFilter } from '../run/packet-filter.ts';
import { packetRulesOf } from './packets.ts';
import type { Cluster, Pod } from './pods.ts';

const pod = (name: string, namespace: string, address: string): Pod => ({
  ...{ name, namespace, address, cluster: 'eu', deployment: name, account: name, isGateway: false },
  labels: { app: name },
  container: { name, ports: [], resources: { limits: { memory: '1Mi' } } },
  spec: { serviceAccountName: name, containers: [] },
});

const [chat, audit, gateway, other] = [
  pod('chat', 'ragmesh', '10.77.1.10'),
  pod('audit', 'ragmesh', '10.77.1.20'),
  pod('gateway', 'istio-egress', '10.77.1.30'),
  pod('chat', 'elsewhere', '10.77.1.40'),
] as const;

const policy = (namespace: string, name: string, spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace },
  spec,
});

const both = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] };

const cluster: Cluster = {
  places: [],
  pods: [chat, audit, gateway, other],
  manifests: {
    cluster: 'eu',
    objects: [
      policy('ragmesh', 'allow-nothing', both),
      policy('ragmesh', 'audit', {
        podSelector: { matchLabels: { app: 'audit' } },
        policyTypes: ['Ingress'],
        ingress: [
          {
            from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['chat'] }] } }],
            ports: [{ protocol: 'TCP', port: 50051 }],
          },
        ],
      }),
      policy('istio-egress', 'gateway', {
        ...both,
        ingress: [
          {
            from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ragmesh' } } }],
            ports: [{ protocol: 'UDP', port: 53 }, { port: 8443 }],
          },
        ],
        egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }], ports: [{ port: 443 }] }],
      }),
    ],
  },
};

const to = (address: string, port: number) => ({ range: `${address}/32`, except: [], port });

test('a pod without a policy takes and sends everything, one with an empty policy nothing', () => {
  expect(packetRulesOf(cluster, other)).toEqual({ ingress: undefined, egress: undefined });
  expect(packetRulesOf(cluster, chat)).toEqual({ ingress: [], egress: [] });
});

test('peers are pods of the same namespace, of a namespace that is named, or addresses', () => {
  expect(packetRulesOf(cluster, audit)).toEqual({ ingress: [to(chat.address, 50051)], egress: [] });
  expect(packetRulesOf(cluster, gateway)).toEqual({
    ingress: [to(chat.address, 8443), to(audit.address, 8443)],
    egress: [{ range: '0.0.0.0/0', except: ['10.0.0.0/8'], port: 443 }],
  });
});

test('a filter lets pass what a policy allows and what belongs to an open connection, and drops the rest', () => {
  expect(packetFilter(packetRulesOf(cluster, gateway), ['10.77.1.254'])).toBe(`*mangle
:except-POS-0 - [0:0]
-A PREROUTING -i eth+ -p tcp -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A PREROUTING -i eth+ -p tcp -s 10.77.1.254 -j ACCEPT
-A PREROUTING -i eth+ -p tcp -s 10.77.1.10/32 --dport 8443 -j ACCEPT
-A PREROUTING -i eth+ -p tcp -s 10.77.1.20/32 --dport 8443 -j ACCEPT
-A PREROUTING -i eth+ -p tcp -j DROP
-A POSTROUTING -o eth+ -p tcp -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A POSTROUTING -o eth+ -p tcp -d 10.77.1.254 -j ACCEPT
-A except-POS-0 -d 10.0.0.0/8 -j RETURN
-A except-POS-0 -j ACCEPT
-A POSTROUTING -o eth+ -p tcp -d 0.0.0.0/0 --dport 443 -j except-POS-0
-A POSTROUTING -o eth+ -p tcp -j DROP
COMMIT
`);
});
