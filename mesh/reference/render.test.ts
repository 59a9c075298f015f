import { describe, expect, test } from 'vitest';
import { services } from '../run.ts';
import { arrowsOf, renderFigure } from './figure.ts';

describe('the figure of the services', () => {
  test('has a box for each service, also for one that no column names', () => {
    const extra = { ...services[0], name: 'translation', contracts: [] } as (typeof services)[number];
    const figure = renderFigure([...services, extra]);
    for (const { name } of [...services, extra]) expect(figure).toContain(`>${name}</text>`);
  });

  test('has an arrow for each need, and a dashed one for each optional need', () => {
    const arrows = arrowsOf(services);
    expect(arrows).toContainEqual({ from: 'chat', to: 'retrieval', isOptional: false });
    expect(arrows).toContainEqual({ from: 'cache', to: 'embedding', isOptional: true });
    expect(arrows.filter(({ from, to }) => from === to)).toEqual([]);
  });
});
