import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkServices } from '#kit/host/config/check-config.ts';
import { loadConfig } from '#kit/host/config/config.ts';
import { loadIdentityKeys } from '#kit/rpc/identity-keys.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { services } from '../run.ts';
import { root } from '../tools.ts';
import { type ComposeService, projects, readCompose } from './testing/compose.ts';

const deployments = join(root, 'deployments');
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Makes the secrets as the project's first container does, and returns its variables. */
function makeSecrets(): NodeJS.Dict<string> {
  execFileSync(process.execPath, [join(deployments, 'compose/secrets.mjs'), folder], { stdio: 'pipe' });
  return parseEnv(readFileSync(join(folder, 'ragmesh.env'), 'utf8'));
}

const isOurs = ({ image }: ComposeService) => image?.startsWith('ragmesh:') === true;
const isOnce = ({ healthcheck }: ComposeService) => healthcheck?.disable === true;

describe.each(Object.values(projects).flat())('%s', (file) => {
  const { services: all, volumes } = readCompose(file);

  test('names images by version, ours by the version of the program', () => {
    for (const [name, { image = '' }] of Object.entries(all)) {
      expect(image, name).toMatch(/^[\w./-]+:[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?$/);
      if (image.startsWith('ragmesh:')) expect(image).toBe(`ragmesh:${packageJson.version}`);
    }
  });

  test('opens ports to this machine only', () => {
    const ports = Object.values(all).flatMap((service) => service.ports ?? []);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+$/);
  });

  test('runs our image without rights, on a root that nothing can write', () => {
    for (const [name, service] of Object.entries(all).filter(([, each]) => isOurs(each))) {
      expect(service, name).toMatchObject({
        read_only: true,
        user: '10001:10001',
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        init: true,
      });
      expect(service.tmpfs, name).toEqual(['/tmp', '/data:uid=10001,gid=10001,mode=0700']);
    }
  });

  test('waits for what a service needs, and all that is needed can be waited for', () => {
    // compose.observability.yaml is laid over a project that has its own.
    for (const [name, { depends_on = {} }] of Object.entries(all)) {
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        const service = all[needed];
        expect(service, `${name} needs ${needed}`).toBeDefined();
        if (condition === 'service_completed_successfully')
          expect(isOnce(service as ComposeService), needed).toBe(true);
        if (condition === 'service_healthy') {
          expect(isOurs(service as ComposeService) || service?.healthcheck?.test !== undefined, needed).toBe(true);
        }
      }
    }
  });

  test('declares the volumes that it uses, and mounts files that exist', () => {
    const mounts = Object.values(all).flatMap((service) => service.volumes ?? []);
    for (const source of mounts.map((mount) => mount.split(':')[0] ?? '')) {
      if (source.startsWith('.')) expect(() => readFileSync(join(deployments, source))).not.toThrow('ENOENT');
      else expect(volumes).toContain(source);
    }
  });
});

test('an unknown key of a compose file is found', () => {
  expect(() => readCompose('three-processes/edge.yaml')).toThrow('grpc');
});

test('a stop gives calls in flight their time', () => {
  for (const file of ['compose.yaml', 'compose.full.yaml']) {
    for (const [name, service] of Object.entries(readCompose(file).services)) {
      // Ours drain for 15 s by default.
      if (isOurs(service) && !isOnce(service)) expect(service.stop_grace_period, `${file} ${name}`).toBe('30s');
    }
  }
});

test('compose.full.yaml runs every service once, each finds the others, and Prometheus finds all of them', () => {
  const commands = Object.values(readCompose('compose.full.yaml').services).map(({ command = [] }) => command);
  const run = commands.flatMap((command) => (command[0] === '--services' ? [command[1]] : []));
  expect(run.sort()).toEqual(services.map(({ name }) => name).sort());
  const { addresses } = parse(readFileSync(join(deployments, 'compose/full.yaml'), 'utf8')) as {
    addresses: Record<string, string>;
  };
  const called = services.filter(({ contracts }) => contracts.length > 0).map(({ name }) => name);
  expect(addresses).toEqual(Object.fromEntries(called.map((name) => [name, `${name}:50051`])));
  const prometheus = parse(readFileSync(join(deployments, 'observability/prometheus.yaml'), 'utf8'));
  const [
    {
      dns_sd_configs: [{ names, port }],
    },
  ] = prometheus.scrape_configs;
  expect([...names].sort()).toEqual(['ragmesh', ...services.map(({ name }) => name)].sort());
  expect(port).toBe(9464);
});

describe('the secrets of a project', () => {
  test('are made once, and belong together', () => {
    const secrets = makeSecrets();
    expect(makeSecrets()).toEqual(secrets);
    const { RAGMESH_API_KEY: key = '', RAGMESH_API_KEY_SHA256: digest, RAGMESH_DATABASE: database } = secrets;
    expect(createHash('sha256').update(key).digest('hex')).toBe(digest);
    expect(readFileSync(join(folder, 'api-key'), 'utf8')).toBe(key);
    expect(database).toBe(
      `postgres://ragmesh:${readFileSync(join(folder, 'database-password'), 'utf8')}@postgres:5432/ragmesh`,
    );
  });

  test.each(['ragmesh.yaml', 'full.yaml'])('are what %s needs, and the program accepts the result', (file) => {
    const config = loadConfig(join(deployments, 'compose', file), makeSecrets() as Record<string, string>);
    expect(checkServices(config, services, services)).toEqual([]);
    expect(loadIdentityKeys(config.identity, folder).privateKey).toBeDefined();
    for (const server of [config.grpc, config.admin, config.edge]) expect(server?.host).toBe('0.0.0.0');
  });
});
