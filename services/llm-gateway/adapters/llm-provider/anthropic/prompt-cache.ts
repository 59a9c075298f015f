/** A cache point: the provider caches the prompt up to and including the block that carries it. */
export interface CacheControl {
  type: 'ephemeral';
  ttl?: '5m' | '1h';
}

/** A part of a prompt that can carry a cache point. */
export interface Cacheable {
  cache_control?: CacheControl;
}

/** The parts of a prompt, in the order in which the provider caches them. */
export interface CacheableParts {
  tools: readonly Cacheable[];
  system: readonly Cacheable[];
  /** The last block before the last turn of the user; `undefined`: there is no earlier turn. */
  historyEnd: Cacheable | undefined;
}

/**
 * Sets cache points at the ends of the parts that are the same in many requests. The API takes at most four: after the tools, after the first
 * instruction (the operator's; later ones may change with the question), after the last instruction, and after the history, which
 * is everything but the last turn. Source: platform.claude.com/docs/en/build-with-claude/prompt-caching.
 */
export function markCachePoints(mark: CacheControl, { tools, system, historyEnd }: CacheableParts): void {
  for (const part of new Set([tools.at(-1), system[0], system.at(-1), historyEnd])) {
    if (part !== undefined) part.cache_control = mark;
  }
}
