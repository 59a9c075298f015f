import { create, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { Language, type Passage, PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { ConfiguredTool } from './configured.ts';

/** Values inside of values that are written out; deeper ones are left out. */
const maxDepth = 8;
const maxLines = 1000;

/** Returns a result as text, one value in a line, "items.0.name: Lamp"; at most `maxTokens`, which it counts. */
export function toResultText(result: JsonValue, maxTokens: number): { text: string; tokens: number } {
  const lines = typeof result === 'string' ? result.split('\n') : [...linesOf(result, '', 0)];
  const kept: string[] = [];
  let tokens = 0;
  for (const line of lines.slice(0, maxLines)) {
    const cost = estimateTokens(line) + 1;
    if (tokens + cost > maxTokens) {
      kept.push('…');
      break;
    }
    tokens += cost;
    kept.push(line);
  }
  return { text: kept.join('\n'), tokens };
}

function* linesOf(value: JsonValue, name: string, depth: number): Generator<string> {
  if (value === null || value === '' || depth > maxDepth) return;
  if (typeof value !== 'object') {
    yield name === '' ? String(value) : `${name}: ${value}`;
    return;
  }
  const entries = Array.isArray(value)
    ? value.map((element, index) => [index, element] as const)
    : Object.entries(value);
  for (const [key, child] of entries) yield* linesOf(child, name === '' ? String(key) : `${name}.${key}`, depth + 1);
}

/** Returns the result of a call as a source of the answer. It is of no corpus, and what it says is not trusted as an instruction. */
export function toPassage({ name, title }: ConfiguredTool, callId: string, text: string): Passage {
  const named = { chunkId: `tool:${name}#${callId}`, documentId: `tool:${name}`, title };
  return create(PassageSchema, { ...named, text, untrusted: true, endOffset: text.length });
}

/** Returns what an answer without a model says of a result: the configured text with its fields, or the result itself. */
export function toReply({ replies }: ConfiguredTool, language: Language, result: JsonValue, text: string): string {
  const reply =
    replies.find((candidate) => candidate.language === language) ??
    replies.find((candidate) => candidate.language === Language.UNSPECIFIED);
  if (reply === undefined) return text;
  return reply.text.replaceAll(/\{([\w.-]{1,128})\}/g, (_, path: string) => fieldOf(result, path.split('.')));
}

function fieldOf(result: JsonValue, path: readonly string[]): string {
  const found = path.reduce<JsonValue | undefined>((at, key) => {
    const isObject = typeof at === 'object' && at !== null;
    return isObject && Object.hasOwn(at, key) ? (at as JsonObject)[key] : undefined;
  }, result);
  return found === undefined || found === null || found === '' || typeof found === 'object' ? '—' : String(found);
}
