import { describe, expect, test } from 'vitest';
import { services } from '../run.ts';
import { isTestCode, readSources } from './source-tree.ts';

// The compiler refuses a call that a need does not list; this test refuses a listed call that no code makes. So access policies, which
// derive from the lists, allow what is called and nothing else.

const sources = readSources().filter(({ path }) => !isTestCode(path));

describe('every rpc that a need lists is called', () => {
  test.each(services.map((service) => [service.name, service] as const))(
    '%s',
    (name, { needs, optionalNeeds = {} }) => {
      const own = sources.filter(({ path }) => path.startsWith(`services/${name}/`) && !path.endsWith('/needs.ts'));
      const listed = Object.values({ ...needs, ...optionalNeeds }).flatMap(({ calls }) => calls);
      const unused = listed.filter((call) => !own.some(({ text }) => new RegExp(`\\.${call}\\(`).test(text)));
      expect(unused, 'remove them from `needs` in index.ts').toEqual([]);
    },
  );
});
