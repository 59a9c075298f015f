import { expect, test } from 'vitest';
import { services } from '../../../../run.ts';
import { createModel } from '../../../model/model.ts';
import { providers } from '../../../model/regions.ts';
import { renderProvider } from './provider.ts';

const model = createModel(services, 'services');

test.each(providers)('sidecars know no port of $name by which TLS would pass the egress gateway by', (provider) => {
  const objects = Object.values(renderProvider(provider, model).resources).flat();
  const entries = objects.filter(({ kind }) => kind === 'ServiceEntry');
  const ports = entries.flatMap(({ spec }) => (spec as { ports: { protocol: string }[] }).ports);
  expect(ports.map(({ protocol }) => protocol)).toEqual(['HTTP']);
});
