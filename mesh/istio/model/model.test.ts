import { describe, expect, test } from 'vitest';
import { isPublic } from '#kit/rpc/policy.ts';
import { services } from '../../run.ts';
import { toCluster } from '../check/cluster.ts';
import { images } from '../check/rules/objects.ts';
import { renderDeployment } from '../render/workload/deployment.ts';
import { installation } from './installation.ts';
import { callersOf, createModel } from './model.ts';

const model = createModel(services, 'services');
const cells = model.calls.map(({ from, to, rpc }) => `${from} -> ${to} ${rpc.name}`);

describe('the matrix of calls', () => {
  test('has each rpc of the needs of each service, once, and the public ones for the edge', () => {
    expect(new Set(cells).size).toBe(cells.length);
    expect(cells).toContain('chat -> retrieval RetrievalService.Retrieve');
    expect(cells).not.toContain('chat -> retrieval IndexWriterService.PurgeDocuments');
    expect(cells).toContain('indexer -> retrieval IndexWriterService.PurgeDocuments');
  });

  test('gives the edge every public rpc, and of the internal ones those of its own routes only', () => {
    const published = services.flatMap(({ name, contracts }) =>
      contracts.flatMap(({ methods }) =>
        methods.filter(isPublic).map((method) => `edge -> ${name} ${method.parent.name}.${method.name}`),
      ),
    );
    const ofEdge = cells.filter((cell) => cell.startsWith('edge '));
    expect(ofEdge).toEqual(expect.arrayContaining(published));
    expect(ofEdge.filter((cell) => !published.includes(cell))).toEqual([
      'edge -> accounts CredentialService.ReportKeyUses',
      'edge -> accounts CredentialService.SyncCredentials',
      'edge -> chat ChatService.Repeat',
      'edge -> chat ChatService.StopAnswer',
      'edge -> embedding EmbeddingService.Embed',
      'edge -> embedding EmbeddingService.ListModels',
      'edge -> llm-gateway LLMGatewayService.Generate',
      'edge -> rerank RerankService.Rerank',
    ]);
  });

  test('retries only what the contract allows to repeat', () => {
    const methods = services.flatMap(({ contracts }) => contracts.flatMap((contract) => contract.methods));
    const retried = new Set(model.calls.filter(({ rpc }) => rpc.retryCount > 0).map(({ rpc }) => rpc.path));
    expect(retried).not.toContain('/ragmesh.chat.v1.ChatService/Ask');
    expect(retried).not.toContain('/ragmesh.chat.v1.ChatService/Repeat');
    expect(retried).not.toContain('/ragmesh.llm_gateway.v1.LLMGatewayService/Generate');
    expect(retried).toContain('/ragmesh.retrieval.v1.RetrievalService/Retrieve');
    expect(methods.length).toBeGreaterThan(retried.size);
  });
});

describe('the grouped topology', () => {
  const grouped = createModel(services, 'grouped');

  test('puts the services that answer users into one workload, which no call leaves but to work in the background', () => {
    expect(grouped.workloads.map(({ name }) => name)).toEqual(['evaluation', 'indexer', 'privacy', 'online']);
    expect([...callersOf(grouped, 'online').keys()]).toEqual(['evaluation', 'indexer', 'privacy']);
  });

  test('has every service once', () => {
    const names = grouped.workloads.flatMap((workload) => workload.services.map(({ name }) => name));
    expect(names.sort()).toEqual(services.map(({ name }) => name).sort());
  });
});

test('an installation with a digest runs every workload by it, and the rule on images accepts no shorter one', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const imagesOf = (given: string) => {
    const pinned = createModel(services, 'services', {
      ...installation,
      image: 'registry.example.com/r',
      digest: given,
    });
    const cluster = toCluster(pinned.workloads.map((workload) => renderDeployment(workload, pinned)));
    return {
      problems: images.find(cluster),
      names: cluster.pods.flatMap(({ containers }) => containers.map(({ image }) => image)),
    };
  };
  expect(new Set(imagesOf(digest).names)).toEqual(new Set([`registry.example.com/r@${digest}`]));
  expect(imagesOf(digest).problems).toEqual([]);
  expect(imagesOf('sha256:aaaa').problems).toHaveLength(model.workloads.length);
});
