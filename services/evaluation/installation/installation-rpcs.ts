import { type InstallationService, SettingSource } from '#gen/ragmesh/evaluation/v1/installation_pb.ts';
import type { ConfigInForce } from '#kit/host/config/config-in-force.ts';
import { originOf } from '#kit/host/config/config-origin.ts';
import { listSettings } from '#kit/host/config/list-settings.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { ReadMetrics } from '../doctor/sources.ts';
import { healthOf } from './health.ts';

/** The folder of all services, whose adapters know which of their settings are secrets. */
const services = new URL('../../', import.meta.url);

const sources = {
  default: SettingSource.DEFAULT,
  file: SettingSource.FILE,
  environment: SettingSource.ENVIRONMENT,
} as const;

/** Creates the rpcs of those who run the installation. */
export function createInstallationRpcs(deps: {
  configInForce(): ConfigInForce;
  readMetrics: ReadMetrics;
}): ServiceHandlers<typeof InstallationService> {
  return {
    async getConfiguration() {
      const { config, sectionsToRestart } = deps.configInForce();
      const settings = await listSettings(config, services);
      return {
        file: originOf(config).file,
        settings: settings.map(({ path, value, source }) => ({ path, value, source: sources[source] })),
        sectionsToRestart: [...sectionsToRestart],
      };
    },
    async getHealth(_, { signal }) {
      return healthOf(await deps.readMetrics(signal));
    },
  };
}
