import { acceptedByApi } from './access/accepted-by-api.ts';
import { betweenRegions } from './access/between-regions.ts';
import { egress } from './access/egress.ts';
import { endUsers } from './access/end-users.ts';
import { matrixByCertificate, matrixBySidecar } from './access/matrix.ts';
import { packets } from './access/packets.ts';
import { plaintextRefused } from './access/plaintext.ts';
import { spoofedHeaders } from './access/spoofing.ts';
import { boundTenants } from './access/tenants.ts';
import { controlPlaneDown } from './failures/control-plane-down.ts';
import { memoryLimit } from './failures/memory.ts';
import { regionPodsLost, regionProcessesLost } from './failures/region-lost.ts';
import { replicaKilled } from './failures/replica-killed.ts';
import { rotation } from './failures/rotation.ts';
import { upgrade } from './failures/upgrade.ts';
import { overload } from './load/overload.ts';
import { rollingRestart } from './load/rolling.ts';
import { scaleOut } from './load/scale-out.ts';
import { longStream } from './load/streams.ts';
import type { Scenario } from './scenario.ts';

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
