import type { Model } from '../../model/model.ts';

const text = { type: 'string' };
const name = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' };
const count = { type: 'integer', minimum: 1, maximum: 1000 };

/** An object with these fields and no others: a misspelt value is an error, not a value without effect. */
const exactly = (properties: object) => ({ type: 'object', properties, additionalProperties: false });

/** Returns `values.schema.json`, by which Helm checks the values of a release. */
export function renderValuesSchema({ workloads }: Model): string {
  const names = workloads.map((workload) => workload.name);
  const stores = [...new Set(workloads.flatMap((workload) => workload.stores))];
  const each = (schema: object) => exactly(Object.fromEntries(names.map((workload) => [workload, schema])));
  const workload = exactly({
    replicas: exactly({ min: count, max: count }),
    cpu: { type: 'string', pattern: '^[0-9]+m?$' },
    memoryMib: { type: 'integer', minimum: 128, maximum: 1_048_576 },
  });
  const list = (required: readonly string[], properties: object) => ({
    type: 'array',
    maxItems: 64,
    items: { ...exactly(properties), required },
  });
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...exactly({
      global: { type: 'object' },
      image: exactly({ repository: text, tag: { type: 'string', minLength: 1, not: { const: 'latest' } } }),
      host: text,
      tlsSecret: name,
      secret: name,
      trustDomain: text,
      workloads: each(workload),
      config: each({ type: 'object' }),
      ingress: exactly({ enabled: { type: 'boolean' } }),
      egress: exactly({ enabled: { type: 'boolean' } }),
      providers: list(['name', 'host'], { name, host: text }),
      tools: list(['name', 'host'], { name, host: text }),
      sources: list(['name', 'host'], { name, host: text }),
      stores: list(['kind', 'host', 'cidr', 'port'], {
        kind: { enum: stores },
        host: text,
        cidr: { type: 'string', pattern: '^[0-9a-f.:]+/[0-9]+$' },
        port: { type: 'integer', minimum: 1, maximum: 65_535 },
      }),
      meshToken: exactly({ jwks: text }),
      region: exactly({ name: { type: 'string' }, tenantsElsewhere: { type: 'array', items: text } }),
    }),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
