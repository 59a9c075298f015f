import type { KubeObject } from '../../render/objects.ts';

/** What an installation replaces in the manifests: public keys of those who sign tokens. */
export interface Keys {
  /** Keys of the mesh's own tokens, as a JSON Web Key Set. */
  readonly mesh: string;
  /** Keys of the identity provider of end users. */
  readonly endUsers: string;
}

/**
 * Returns the objects as the lab uses them: with its keys, and without what needs the filters of Istio's own build of Envoy (its metrics).
 * Everything else is as rendered.
 */
export function adjustObjects(objects: readonly KubeObject[], { mesh, endUsers }: Keys): KubeObject[] {
  return objects.map((object) => {
    if (object.kind === 'Telemetry') return { ...object, spec: without(object.spec, 'metrics') };
    if (object.kind !== 'RequestAuthentication') return object;
    const { jwtRules, ...spec } = object.spec as { jwtRules: { issuer: string }[] };
    const rules = jwtRules.map((rule) => ({
      ...without(rule, 'jwksUri'),
      jwks: rule.issuer === 'ragmesh' ? mesh : endUsers,
    }));
    return { ...object, spec: { ...spec, jwtRules: rules } };
  });
}

function without(value: unknown, part: string): object {
  const { [part]: _, ...rest } = value as Record<string, unknown>;
  return rest;
}
