import type { Block, TextBlock, ToolParam, Turn } from './request.ts';

/** A mark: everything up to here is kept in the provider's cache. */
export interface CacheControl {
  type: 'ephemeral';
  ttl?: '5m' | '1h';
}

/**
 * Puts marks where a prompt is the same from request to request, at most four, as many as the API takes: behind the tools, behind the
 * first instruction (the operator's; later ones may change with the question), behind the last one, and behind the history, which is
 * all but the last turn. Source: platform.claude.com/docs/en/build-with-claude/prompt-caching.
 */
export function markCachePoints(mark: CacheControl, tools: ToolParam[], system: TextBlock[], turns: Turn[]): void {
  const history: Block | undefined = turns.at(-1)?.role === 'user' ? turns.at(-2)?.content.at(-1) : undefined;
  for (const place of new Set([tools.at(-1), system[0], system.at(-1), history])) {
    if (place !== undefined) place.cache_control = mark;
  }
}
