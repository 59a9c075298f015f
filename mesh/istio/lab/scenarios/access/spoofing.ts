import { hostOf } from '../../../model/installation.ts';
import { getPage } from '../../clients/public-client.ts';
import { isDenied } from '../../clients/wire.ts';
import { refuse, type Scenario } from '../scenario.ts';

/** Who calls is decided by certificates alone, and what proxies may be asked for by the mesh alone. */
export const spoofedHeaders: Scenario = {
  needs: ['regions'],
  name: 'headers that claim an identity, or command proxies, have no effect',
  async run(scene) {
    const { lab, home, entry } = scene;
    const origin = `http://${hostOf('retrieval', lab.options.names)}:${lab.options.names.ports.grpc}`;
    const claimed = `spiffe://${lab.options.names.trustDomain}/ns/${lab.options.names.namespace}/sa/indexer`;
    const spoofed = {
      'x-forwarded-client-cert': `By=${claimed};Hash=${'0'.repeat(64)};URI=${claimed}`,
      'x-envoy-original-path': '/ragmesh.retrieval.v1.RetrievalService/Retrieve',
      'x-envoy-peer-metadata-id': 'sidecar~10.0.0.1~indexer.ragmesh~ragmesh.svc.cluster.local',
    };
    const problems: string[] = [];
    const caller = scene.from(lab.firstOf(home, 'chat').pod.name);
    const forbidden = ['BeginVersion', 'PurgeDocuments'].map(
      (rpc) => `/ragmesh.retrieval.v1.IndexWriterService/${rpc}`,
    );
    const replies = await caller.calls({
      origin,
      headers: { ...(await scene.meshHeaders()), ...spoofed },
      paths: forbidden,
    });
    for (const reply of replies)
      if (!isDenied(reply)) problems.push(`chat as indexer: code ${reply.code} "${reply.message}"`);
    // A proxy that obeyed would end the request after a millisecond.
    const commands = { 'x-envoy-upstream-rq-timeout-ms': '1', 'x-envoy-max-retries': '10', ...spoofed };
    const page = await getPage(entry, '/v1/models', { ...scene.credentials, ...commands });
    if (page.status !== 200)
      problems.push(`the ingress gateway obeys a client: ${page.status} ${page.body.slice(0, 200)}`);
    // Neither the mesh's own token nor a claimed identity is a credential of a client.
    const token = await getPage(entry, '/v1/models', { ...(await scene.meshHeaders()), ...spoofed });
    if (token.status !== 401) problems.push(`a token of the mesh is accepted from outside: ${token.status}`);
    refuse(problems);
    return `${replies.length} forbidden rpcs refused, 1 command ignored, 1 token of the mesh refused`;
  },
};
