import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { skipped } from '#kit/testing/server.ts';
import type { Admission } from '../admission/admission.ts';
import { edgeLimits } from '../http/limits.ts';
import { createFixtureServer } from '../testing/mcp-fixture.ts';
import type { McpClients } from './call.ts';
import { createMcpRoute, type LoadServer } from './route.ts';

// The public conformance suite of MCP against the edge's mount: the edge's own server in the scenarios that any server can pass, and one with
// the tools, resources and prompts that the suite describes in the others. What needs a session (requests of the server to its client,
// subscriptions, streams that resume) is no part of a server without sessions.

const suite = new URL('../../../node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url)
  .pathname;
const advice = 'npm install --no-save @modelcontextprotocol/conformance@0.1.16';

const ofOurs = ['server-initialize', 'ping', 'tools-list', 'resources-list', 'dns-rebinding-protection'];
const ofFixture = [
  ...['server-initialize', 'ping', 'logging-set-level', 'completion-complete', 'tools-list', 'json-schema-2020-12'],
  ...['tools-call-simple-text', 'tools-call-image', 'tools-call-audio', 'tools-call-embedded-resource'],
  ...['tools-call-mixed-content', 'tools-call-with-logging', 'tools-call-error', 'tools-call-with-progress'],
  ...['resources-list', 'resources-read-text', 'resources-read-binary', 'resources-templates-read'],
  ...['prompts-list', 'prompts-get-simple', 'prompts-get-with-args', 'prompts-get-embedded-resource'],
  ...['prompts-get-with-image', 'dns-rebinding-protection'],
];

const principal = create(PrincipalSchema, { tenant: 'demo', user: 'test', roles: [Role.READER, Role.EDITOR] });
const admission = { principal, token: 'token' } as Admission;
const clients = {
  retrieval: { listCorpora: async () => ({ corpora: [{ name: 'help', documentCount: 1n }] }) },
  indexer: {
    listDocuments: async () => ({ documents: [{ corpus: 'help', documentId: 'a.md', title: 'A' }], nextPageToken: '' }),
  },
} as unknown as McpClients;

async function serve(load?: LoadServer): Promise<{ server: Server; url: string }> {
  const deps = {
    admit: async () => admission,
    running: { begin: async () => () => {} },
    ...{ limits: edgeLimits, log: createLogger('silent'), clock: () => 0, ended: () => {} },
  };
  const settings = () => ({ publicUrl: undefined, issuer: undefined, corsOrigins: [] });
  const route = createMcpRoute(clients, deps, settings, load);
  const server = createServer((request, response) => void route(request as never, response as never));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` };
}

function runScenario(scenario: string, url: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [suite, 'server', '--url', url, '--scenario', scenario], { cwd: '/tmp' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

describe.skipIf(!existsSync(suite) && skipped('mcp-conformance', ofOurs.length + ofFixture.length, advice))(
  'the conformance suite of MCP',
  () => {
    let ours: Awaited<ReturnType<typeof serve>>;
    let fixture: Awaited<ReturnType<typeof serve>>;
    beforeAll(async () => {
      ours = await serve();
      fixture = await serve(async () => createFixtureServer);
    });
    afterAll(() => {
      ours.server.close();
      fixture.server.close();
    });

    test.each(ofOurs)('passes of the server of the edge: %s', async (scenario) => {
      const { code, output } = await runScenario(scenario, ours.url);
      expect(code, output).toBe(0);
      expect(output).not.toMatch(/\b0 passed/);
    });

    test.each(ofFixture)('passes of the mount of the edge: %s', async (scenario) => {
      const { code, output } = await runScenario(scenario, fixture.url);
      expect(code, output).toBe(0);
      expect(output).not.toMatch(/\b0 passed/);
    });
  },
);
