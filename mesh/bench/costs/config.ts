import { createHash } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type ConfigSchema, PersonalDataMode } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { CostProcessInit } from './children.ts';

const unlimited = 1_000_000;
/** As long a list as a company has of rivals and of words that it does not want; no question of the sample has one. */
const unwantedWords = Array.from({ length: 500 }, (_, index) => `unwanted-word-${index}`);

/** Returns the configuration of the meshes of the benchmark of costs: the defaults, with limits out of the way, and a short model. */
export function costConfig(init: CostProcessInit): MessageInitShape<typeof ConfigSchema> {
  return {
    addresses: init.addresses,
    ...(init.isPrivate && {
      personalData: { policies: [{ mode: PersonalDataMode.MASK }] },
      chat: {
        guardrails: [
          { name: 'injection', adapter: 'prompt-injection' },
          { name: 'words', adapter: 'words', settings: { topic: 'unwanted', words: unwantedWords } },
        ],
      },
    }),
    grpc: { port: 0, maxConcurrent: unlimited },
    admin: { port: 0 },
    // Members of a group log as their configuration says; the others are silent in this benchmark.
    telemetry: { logLevel: 'silent' },
    llmGateway: {
      models: [
        { adapter: 'extractive' },
        {
          name: 'short',
          adapter: 'openai-compatible',
          settings: { base_url: init.providerUrl, api_key: 'sk-bench', model: 'short' },
          maxConcurrent: unlimited,
        },
      ],
      limits: { queueSize: unlimited },
    },
    edge: {
      port: 0,
      apiKeys: [
        {
          id: 'bench',
          sha256: createHash('sha256').update(init.key).digest('hex'),
          tenant: 'bench',
          groups: ['staff', 'merchant'],
          roles: [Role.READER, Role.EDITOR, Role.MODEL_USER],
        },
      ],
      tenantRequestsPerSecond: unlimited,
      tenantBurst: unlimited,
      userRequestsPerSecond: unlimited,
      userBurst: unlimited,
      userMaxConcurrent: 100_000,
    },
  };
}
