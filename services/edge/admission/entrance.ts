import { ConfigError } from '#kit/base/config-error.ts';
import type { ServiceDeps } from '#kit/host/define-service.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import type { TokenSigner } from '#kit/rpc/identity.ts';
import type { EdgeSettings } from '../config.ts';
import { type DevKeys, readOrMakeDevKeys } from '../credentials/dev-keys.ts';
import { type ManagedKeysDeps, openManagedKeys } from '../credentials/managed-keys.ts';
import type { edgeNeeds } from '../needs.ts';
import type { Gate } from './admission.ts';
import type { EdgeState } from './edge-state.ts';
import { joinEnds } from './join-ends.ts';
import { createLiveGate, type LiveGate } from './live-gate.ts';
import { createRunningCalls, type RunningCalls } from './running-calls.ts';

/** What every face admits callers by: their credentials, the limits of requests, and the calls that run. */
export interface Entrance {
  gate: Gate & Pick<LiveGate, 'devKeys'>;
  running: RunningCalls;
  /** Keys for trying it out; `undefined`: credentials are configured. */
  devKeys: DevKeys | undefined;
  readiness: ReadinessCheck;
  /** Applies credentials and limits to every request from now on. */
  reconfigure(settings: EdgeSettings): void;
  close(): Promise<void>;
}

/** What the edge is created with. */
export type EdgeDeps = ServiceDeps<EdgeSettings, Record<string, never>, typeof edgeNeeds, EdgeState>;

/** Opens the entrance. Throws ConfigError if the process has no private key to sign the tokens of its callers. */
export async function openEntrance(
  { config, clock, log, dataDir, optionalClients, ...deps }: EdgeDeps,
  managedTimes: Pick<ManagedKeysDeps, 'syncMs' | 'reportMs'> = {},
): Promise<Entrance> {
  const state = deps.isStateShared ? joinEnds(deps.state) : deps.state;
  const signer = requireSigner(deps.signer);
  const devKeys = config.usesDevKeys ? readOrMakeDevKeys(dataDir) : undefined;
  const managed = await openManagedKeys({ accounts: optionalClients.accounts(), signer, clock, log, ...managedTimes });
  const gate = createLiveGate(config, { clock, log, devKeys, managed, limiter: state, signer });
  let { userMaxConcurrent } = config;
  return {
    gate,
    running: createRunningCalls(() => userMaxConcurrent, state),
    devKeys,
    readiness: managed.readiness,
    reconfigure(next) {
      gate.reconfigure(next);
      ({ userMaxConcurrent } = next);
    },
    close: () => managed.close(),
  };
}

function requireSigner(signer: TokenSigner | undefined): TokenSigner {
  if (signer !== undefined) return signer;
  throw new ConfigError(
    'identity.private_key',
    'is missing: what admits callers makes the tokens by which services know them',
  );
}
