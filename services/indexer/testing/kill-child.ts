import { readFileSync } from 'node:fs';
import { fromJsonString } from '@bufbuild/protobuf';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { startHost } from '#kit/host/host.ts';
import { indexer } from '../index.ts';
import { createEmbeddingStandIn } from './embedding-stand-in.ts';
import { createIndexStandIn } from './index-stand-in.ts';

// Runs the indexer in a child process that tests kill. Its dependencies run in the process of the test.

const [, , configPath = ''] = process.argv;
const host = await startHost({
  services: [indexer],
  known: [indexer, createIndexStandIn().definition, createEmbeddingStandIn().definition],
  config: fromJsonString(ConfigSchema, readFileSync(configPath, 'utf8')),
  env: {},
  log: createLogger('silent'),
});
process.stdout.write(`${host.grpcPort}\n`);
