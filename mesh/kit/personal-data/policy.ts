import {
  type PersonalDataConfig,
  PersonalDataKindSchema,
  PersonalDataMode,
  type PersonalDataPolicyConfig,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { enumName } from '#kit/base/enums.ts';
import type { PersonalDataKind } from './detectors/detector.ts';
import { createFindPersonalData, type FindPersonalData } from './find.ts';
import { createSealer, type MaskingKey, type Sealer } from './seal.ts';

/** What is done with personal data of a tenant or corpus, as plain values that can be copied to a thread. */
export interface PersonalDataPolicy {
  tenant: string;
  mode: 'mask' | 'reversible';
  except: readonly PersonalDataKind[];
  patterns: readonly string[];
  published: readonly string[];
  readerGroups: readonly string[];
  /** Keys of reversible masks; empty if the mode needs none. */
  keys: readonly MaskingKey[];
}

/** The policies of a mesh. */
export interface PersonalDataPolicies {
  /** Returns the policy for questions and answers of a tenant; `undefined`: nothing is masked. */
  ofTenant(tenant: string): PersonalDataPolicy | undefined;
  /** Returns the policy for the documents of a corpus; `undefined`: nothing is masked. */
  ofCorpus(tenant: string, corpus: string): PersonalDataPolicy | undefined;
  /** Returns a policy that opens the reversible masks of a tenant, whichever corpus they are in; `undefined`: it has none. */
  reversibleOf(tenant: string): PersonalDataPolicy | undefined;
}

/** Reads the keys from the configuration, the one that encrypts first. Throws ConfigError. */
export function readKeys(config: PersonalDataConfig | undefined): MaskingKey[] {
  return (config?.keys ?? []).map(({ id, key }, index): MaskingKey => {
    const bytes = Buffer.from(key, 'base64');
    if (bytes.length === 32) return { id, bytes };
    throw new ConfigError(
      `personal_data.keys[${index}].key`,
      'is not 32 bytes in base64: make one with `openssl rand -base64 32`',
    );
  });
}

/** Reads the policies from the configuration. Throws ConfigError. */
export function readPersonalData(config: PersonalDataConfig | undefined): PersonalDataPolicies {
  const keys = readKeys(config);
  const policies = new Map<string, PersonalDataPolicyConfig>();
  for (const [index, policy] of (config?.policies ?? []).entries()) {
    const path = `personal_data.policies[${index}]`;
    const name = nameOf(policy.tenant, policy.corpus);
    if (policies.has(name)) throw new ConfigError(path, 'has the tenant and corpus of an entry before it');
    checkPatterns(policy.patterns, path);
    if (policy.mode === PersonalDataMode.REVERSIBLE && keys.length === 0)
      throw new ConfigError(path, 'is reversible, but personal_data.keys is empty: add a key, or mask');
    policies.set(name, policy);
  }
  const find = (names: readonly (readonly [tenant: string, corpus: string])[], tenant: string) => {
    for (const [of, corpus] of names) {
      const found = policies.get(nameOf(of, corpus));
      if (found !== undefined) return toPolicy(found, tenant, keys);
    }
    return undefined;
  };
  const known = new Map<string, PersonalDataPolicy | undefined>();
  const remember = (name: string, work: () => PersonalDataPolicy | undefined) => {
    if (policies.size === 0) return undefined;
    if (!known.has(name)) {
      if (known.size >= knownMax) known.clear();
      known.set(name, work());
    }
    return known.get(name);
  };
  const ofTenant = (tenant: string) =>
    remember(nameOf(tenant, ''), () =>
      find(
        [
          [tenant, ''],
          ['', ''],
        ],
        tenant,
      ),
    );
  return {
    ofTenant,
    ofCorpus: (tenant, corpus) =>
      remember(nameOf(tenant, `/${corpus}`), () =>
        find(
          [
            [tenant, corpus],
            ['', corpus],
            [tenant, ''],
            ['', ''],
          ],
          tenant,
        ),
      ),
    reversibleOf: (tenant) =>
      remember(nameOf(tenant, '//'), () => {
        const own = ofTenant(tenant);
        if (own?.mode === 'reversible') return own;
        const isReversible = (policy: PersonalDataPolicyConfig) =>
          policy.mode === PersonalDataMode.REVERSIBLE && (policy.tenant === tenant || policy.tenant === '');
        const found = [...policies.values()].find(isReversible);
        return found && toPolicy(found, tenant, keys);
      }),
  };
}

/** Policies that are kept, one for each tenant and corpus that was used. */
const knownMax = 10_000;

const nameOf = (tenant: string, corpus: string): string => JSON.stringify([tenant, corpus]);

function checkPatterns(patterns: readonly string[], path: string): void {
  for (const [index, pattern] of patterns.entries()) {
    try {
      createFindPersonalData({ patterns: [pattern] });
    } catch (error) {
      throw new ConfigError(`${path}.patterns[${index}]`, `is no expression of RE2: ${(error as Error).message}`);
    }
  }
}

function toPolicy(
  { mode, except, patterns, published, readerGroups }: PersonalDataPolicyConfig,
  tenant: string,
  keys: readonly MaskingKey[],
): PersonalDataPolicy | undefined {
  if (mode === PersonalDataMode.OFF) return undefined;
  const isReversible = mode === PersonalDataMode.REVERSIBLE;
  return {
    ...{ tenant, patterns, published, readerGroups },
    mode: isReversible ? 'reversible' : 'mask',
    except: except.map((kind) => enumName(PersonalDataKindSchema, kind) as PersonalDataKind),
    keys: isReversible ? keys : [],
  };
}

const finders = new WeakMap<PersonalDataPolicy, FindPersonalData>();
const sealers = new WeakMap<PersonalDataPolicy, Sealer>();

/** Returns the search of a policy, which is created once. */
export function finderOf(policy: PersonalDataPolicy): FindPersonalData {
  let finder = finders.get(policy);
  if (finder === undefined) {
    finder = createFindPersonalData(policy);
    finders.set(policy, finder);
  }
  return finder;
}

/** Returns the encryption of a policy, which is created once. */
export function sealerOf(policy: PersonalDataPolicy): Sealer {
  let sealer = sealers.get(policy);
  if (sealer === undefined) {
    sealer = createSealer(policy.keys, policy.tenant);
    sealers.set(policy, sealer);
  }
  return sealer;
}
