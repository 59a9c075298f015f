import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { services } from '../../run.ts';
import { root } from '../../tools.ts';
import { compose } from '../check/compose.ts';
import { everyObject, withTrials } from '../check/installations.ts';
import { folder, renderFiles } from '../render/files.ts';
import type { KubeObject } from '../render/objects.ts';
import { readSources, toSchemaFile } from './sources.ts';
import { createValidator, readSchemas, sha256Of } from './validate.ts';

const files = renderFiles(services);
const objects = everyObject(files);
const schemas = readSchemas();
const validate = createValidator(schemas);

describe('the schema of each kind', () => {
  test('accepts every object that is rendered, with all rules of custom resources', () => {
    expect(objects.flatMap(validate)).toEqual([]);
  });

  test('is there', () => {
    expect(schemas.unchecked).toEqual([]);
  });

  test('cannot be changed by hand', () => {
    const loose = { ...schemas, schemas: { ...schemas.schemas, 'v1 Service': {} } };
    expect(sha256Of(loose)).not.toBe(schemas.sha256);
  });
});

const trials = withTrials(files);
const whole = [
  ...compose(`${folder}/overlays/region-eu`, trials),
  ...compose(`${folder}/overlays/with-services-canary`, trials).filter(({ kind }) => kind === 'Rollout'),
];

const broken: readonly [what: string, kind: string, name: string, from: string | RegExp, to: string, found: RegExp][] =
  [
    [
      'an unknown field',
      'Deployment',
      'chat',
      '"revisionHistoryLimit"',
      '"revisionHistory"',
      /must NOT have additional properties/,
    ],
    [
      'an unknown field of a custom resource',
      'DestinationRule',
      'cache',
      '"retryBudget"',
      '"retryBudgets"',
      /retryBudgets/,
    ],
    [
      'a value that is not allowed',
      'DestinationRule',
      'cache',
      '"LEAST_REQUEST"',
      '"LEAST"',
      /must be equal to one of the allowed values/,
    ],
    [
      'a text instead of a number',
      'DestinationRule',
      'cache',
      '"maxEjectionPercent":50',
      '"maxEjectionPercent":"half"',
      /must be integer/,
    ],
    [
      'a field that is required',
      'HorizontalPodAutoscaler',
      'chat',
      /"maxReplicas":\d+,/,
      '',
      /must have required property 'maxReplicas'/,
    ],
    [
      'a timeout of zero, by a rule in CEL',
      'VirtualService',
      'audit',
      '"timeout":"5s"',
      '"timeout":"0s"',
      /must be a valid duration greater than 1ms/,
    ],
    ['an unknown field of a rollout', 'Rollout', 'chat', '"setWeight"', '"weight"', /weight/],
    [
      'a selector and a target, by a rule in CEL',
      'AuthorizationPolicy',
      'chat',
      '"action":"ALLOW"',
      '"targetRefs":[{"kind":"Service","group":"","name":"chat"}]',
      /only one of targetRefs or selector/,
    ],
  ];

describe('what is wrong is refused', () => {
  test.each(broken)('%s', (_, kind, name, from, to, found) => {
    const object = whole.find((each) => each.kind === kind && each.metadata?.name === name);
    const text = JSON.stringify(object);
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    expect(validate(JSON.parse(changed) as KubeObject).join('\n')).toMatch(found);
  });
});

/** The whole schemas, as Istio, Kubernetes and others publish them, in a folder beside the clone. */
const sources = process.env.RAGMESH_SCHEMAS ?? join(root, '../shared/schemas');
const advice = 'set RAGMESH_SCHEMAS to a folder with CustomResourceDefinitions and the OpenAPI document of Kubernetes';

describe.skipIf(!existsSync(sources) && skipped('schemas', 1, advice))('against the whole schemas', () => {
  test('no object has an unknown field, and the schemas kept here are their part that is used', () => {
    const found = toSchemaFile(objects, readSources(sources));
    if (found.unchecked.length > 0) skipped('schemas', found.unchecked.length, `none of ${found.unchecked.join(', ')}`);
    expect(Object.keys(found.schemas).length).toBeGreaterThan(20);
    expect(schemas.schemas, 'npm run mesh:schemas -- <folder>').toMatchObject(found.schemas);
    expect(schemas.sources).toMatchObject(found.sources);
  });
});
