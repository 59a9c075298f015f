import { ConfigError } from '#kit/base/config-error.ts';
import { formsOf, type TreeChange } from './tree.ts';

/** Returns the files of a new service with one public rpc: its contract, its folder, and its line in the composition root. */
export function createServiceFiles(name: string): TreeChange {
  const { camel, pascal, snake } = formsOf(name);
  const folder = `services/${name}`;
  return {
    hasContracts: true,
    created: {
      [`proto/ragmesh/${snake}/v1/${snake}.proto`]: protoOf(pascal, snake),
      [`${folder}/README.md`]: readmeOf(name, pascal),
      [`${folder}/index.ts`]: indexOf(name, camel, pascal, snake),
      [`${folder}/config.ts`]: configOf(pascal),
      [`${folder}/service.ts`]: serviceOf(pascal, snake),
      [`${folder}/service.test.ts`]: testOf(camel, pascal, snake),
    },
    changed: { 'mesh/run.ts': (text) => addToRoot(text, name, camel) },
  };
}

/** Adds the line of the service after those of the others. */
function addToRoot(text: string, name: string, camel: string): string {
  const last = [...text.matchAll(/^ *import\('\.\.\/services\/[\w-]+\/index\.ts'\)\.then\(.*\),$/gm)].at(-1)?.[0];
  if (last === undefined)
    throw new ConfigError('mesh/run.ts', 'has no list of services: add the service there by hand');
  return text.replace(last, `${last}\n    import('../services/${name}/index.ts').then(({ ${camel} }) => ${camel}),`);
}

const protoOf = (pascal: string, snake: string) => `// ${pascal}: say in one sentence what it does and for whom.
syntax = "proto3";

package ragmesh.${snake}.v1;

import "buf/validate/validate.proto";
import "ragmesh/common/v1/rpc_policy.proto";

// ${pascal}, for readers.
service ${pascal}Service {
  // Returns the text of the caller with the caller's user.
  rpc Get${pascal}(Get${pascal}Request) returns (Get${pascal}Response) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (ragmesh.common.v1.rpc) = {
      timeout_ms: 5000
      max_attempts: 2
      exposure: EXPOSURE_PUBLIC
      role: ROLE_READER
    };
  }
}

// A text.
message Get${pascal}Request {
  // The text.
  string text = 1 [(buf.validate.field).string = {
    min_len: 1
    max_len: 1024
  }];
}

// The text and who sent it.
message Get${pascal}Response {
  // The text of the request.
  string text = 1;
  // The user of the caller.
  string user = 2;
}
`;

const readmeOf = (name: string, pascal: string) => `# ${name}

Say what it does, for whom, and how it fails. Its contract is \`${pascal}Service\`.

| room | why it exists |
|---|---|
| \`service.ts\` | the rpcs |
| \`config.ts\` | its settings |
`;

const indexOf = (
  name: string,
  camel: string,
  pascal: string,
  snake: string,
) => `import { ${pascal}Service } from '#gen/ragmesh/${snake}/v1/${snake}_pb.ts';
import { defineService } from '#kit/host/define-service.ts';
import { readConfig } from './config.ts';
import { create${pascal} } from './service.ts';

/** ${pascal}: say in one sentence what it does. */
export const ${camel} = defineService({
  name: '${name}',
  contracts: [${pascal}Service],
  config: readConfig,
  needs: {},
  // It keeps nothing between calls, so replicas have nothing to share.
  deployment: { replicas: { min: 2, max: 6 }, isShared: () => true },
  async create({ config }) {
    return { impl: create${pascal}(config), close: async () => {} };
  },
});
`;

const configOf = (pascal: string) => `/** Settings of the service. */
export interface ${pascal}Settings {
  /** Longest text that is returned, in characters. */
  readonly maxText: number;
}

/** Returns the settings. Add a section to config.proto when one of them should be configured. */
export function readConfig(): ${pascal}Settings {
  return Object.freeze({ maxText: 1024 });
}
`;

const serviceOf = (
  pascal: string,
  snake: string,
) => `import type { ${pascal}Service } from '#gen/ragmesh/${snake}/v1/${snake}_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { ${pascal}Settings } from './config.ts';

/** Creates the rpcs of the service. */
export function create${pascal}({ maxText }: ${pascal}Settings): ServiceHandlers<typeof ${pascal}Service> {
  return {
    get${pascal}: ({ text }, { principal }) => ({ text: text.slice(0, maxText), user: principal.user }),
  };
}
`;

const testOf = (camel: string, pascal: string, snake: string) => `import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { ${pascal}Service } from '#gen/ragmesh/${snake}/v1/${snake}_pb.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { ${camel} } from './index.ts';

test('the text comes back with the user of the caller, over both mounts', async () => {
  await using mesh = await startTestMesh([${camel}]);
  for (const client of [mesh.client(${pascal}Service), mesh.grpcClient(${pascal}Service)]) {
    expect(await client.get${pascal}({ text: 'hello' }, await mesh.as())).toMatchObject({ text: 'hello', user: 'ann' });
  }
});

test('a request that breaks the contract is refused', async () => {
  await using mesh = await startTestMesh([${camel}]);
  await expect(mesh.client(${pascal}Service).get${pascal}({}, await mesh.as())).rejects.toMatchObject({
    code: Code.InvalidArgument,
  });
});
`;
