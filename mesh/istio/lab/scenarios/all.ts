import { acceptedByApi } from './accepted-by-api.ts';
import { betweenRegions } from './between-regions.ts';
import { controlPlaneDown } from './control-plane-down.ts';
import { egress } from './egress.ts';
import { endUsers } from './end-users.ts';
import { matrixByCertificate, matrixBySidecar } from './matrix.ts';
import { memoryLimit } from './memory.ts';
import { overload } from './overload.ts';
import { packets } from './packets.ts';
import { plaintextRefused } from './plaintext.ts';
import { regionPodsLost, regionProcessesLost } from './region-lost.ts';
import { replicaKilled } from './replica-killed.ts';
import { rollingRestart } from './rolling.ts';
import { rotation } from './rotation.ts';
import { scaleOut } from './scale-out.ts';
import type { Scenario } from './scenario.ts';
import { spoofedHeaders } from './spoofing.ts';
import { longStream } from './streams.ts';
import { boundTenants } from './tenants.ts';
import { upgrade } from './upgrade.ts';

/** Every scenario by its short name, in their order. Each leaves the lab as it found it. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map([
  ['api', acceptedByApi],
  ['plaintext', plaintextRefused],
  ['matrix', matrixByCertificate],
  ['sidecars', matrixBySidecar],
  ['spoofing', spoofedHeaders],
  ['end-users', endUsers],
  ['tenants', boundTenants],
  ['gateway', betweenRegions],
  ['egress', egress],
  ['packets', packets],
  ['overload', overload],
  ['scale-out', scaleOut],
  ['memory', memoryLimit],
  ['replica', replicaKilled],
  ['region', regionProcessesLost],
  ['machines', regionPodsLost],
  ['control', controlPlaneDown],
  ['upgrade', upgrade],
  ['rotation', rotation],
  ['rolling', rollingRestart],
  ['stream', longStream],
]);
