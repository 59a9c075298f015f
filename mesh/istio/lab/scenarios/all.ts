import { betweenRegions } from './between-regions.ts';
import { controlPlaneDown } from './control-plane-down.ts';
import { egress } from './egress.ts';
import { endUsers } from './end-users.ts';
import { matrixByCertificate, matrixBySidecar } from './matrix.ts';
import { plaintextRefused } from './plaintext.ts';
import { regionPodsLost, regionProcessesLost } from './region-lost.ts';
import { replicaKilled } from './replica-killed.ts';
import { rollingRestart } from './rolling.ts';
import { rotation } from './rotation.ts';
import type { Scenario } from './scenario.ts';
import { spoofedHeaders } from './spoofing.ts';
import { longStream } from './streams.ts';
import { boundTenants } from './tenants.ts';

/** Every scenario by its short name, in their order. Each leaves the lab as it found it. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map([
  ['plaintext', plaintextRefused],
  ['matrix', matrixByCertificate],
  ['sidecars', matrixBySidecar],
  ['spoofing', spoofedHeaders],
  ['end-users', endUsers],
  ['tenants', boundTenants],
  ['gateway', betweenRegions],
  ['egress', egress],
  ['replica', replicaKilled],
  ['region', regionProcessesLost],
  ['machines', regionPodsLost],
  ['control', controlPlaneDown],
  ['rotation', rotation],
  ['rolling', rollingRestart],
  ['stream', longStream],
]);
