import { type GuardrailAction, GuardrailPoint } from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import { ChatConfigSchema, type GuardrailConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { type ChosenAdapter, chosenAdapter } from '#kit/host/config/settings.ts';

/** A guardrail of the configuration. */
export interface ConfiguredGuardrail {
  readonly name: string;
  readonly chosen: ChosenAdapter;
  /** Tenants that it is for; empty: all. */
  readonly tenants: readonly string[];
  readonly points: readonly GuardrailPoint[];
  readonly action: GuardrailAction;
  /** What is done with a text that could not be checked. */
  readonly onFailure: GuardrailAction;
  readonly timeoutMs: number;
}

/** Returns the guardrails of the configuration. Throws ConfigError if two have one name. */
export function readGuardrails(entries: readonly GuardrailConfig[]): readonly ConfiguredGuardrail[] {
  const names = new Set<string>();
  return Object.freeze(
    entries.map((entry, index) => {
      const path = `chat.guardrails[${index}]`;
      if (names.has(entry.name)) throw new ConfigError(`${path}.name`, `two guardrails have the name "${entry.name}"`);
      names.add(entry.name);
      return Object.freeze({
        name: entry.name,
        chosen: chosenAdapter(ChatConfigSchema.field.guardrails, entry as never, path),
        tenants: Object.freeze([...entry.tenants]),
        points: Object.freeze(
          entry.points.length > 0 ? [...entry.points] : [GuardrailPoint.QUESTION, GuardrailPoint.EVIDENCE],
        ),
        action: entry.action,
        onFailure: entry.onFailure,
        timeoutMs: entry.timeoutMs,
      });
    }),
  );
}

/** Returns a version of all guardrails: answers that were made under others are not served from the cache. Empty without any. */
export function guardrailsVersion(configured: readonly ConfiguredGuardrail[]): string {
  if (configured.length === 0) return '';
  return JSON.stringify(configured.map(({ chosen: { adapter, settings }, ...rest }) => [rest, adapter, settings]));
}
