import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { services } from '../../run.ts';
import { root } from '../../tools.ts';
import { renderFiles } from './files.ts';

test('the committed manifests are what the services and contracts render, each time the same', () => {
  const files = renderFiles(services);
  expect([...renderFiles([...services].reverse())]).toEqual([...files]);
  const drifted = [...files].filter(([path, text]) => readFileSync(join(root, path), 'utf8') !== text);
  expect(
    drifted.map(([path]) => path),
    'npm run mesh:render',
  ).toEqual([]);
});

test('several replicas of a service on an embedded store are refused, with what to do', () => {
  const broken = services.map((service) =>
    service.name === 'cache' ? { ...service, deployment: { ...service.deployment, settings: {} } } : service,
  );
  expect(() => renderFiles(broken)).toThrow(
    /cache has up to 20 replicas and keeps state in its own files or memory: name its stores/,
  );
});
