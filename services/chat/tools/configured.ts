import type { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { ChatConfigSchema, type ToolConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { type ChosenAdapter, chosenAdapter, ifSet } from '#kit/host/config/settings.ts';

/** A tool of the configuration. */
export interface ConfiguredTool {
  readonly name: string;
  readonly chosen: ChosenAdapter;
  /** Name for persons. */
  readonly title: string;
  /** What it does, for models; empty: as the operation says. */
  readonly description: string;
  /** Tenants that have it; empty: all. */
  readonly tenants: readonly string[];
  /** Roles of which a caller needs one; empty: none. */
  readonly roles: readonly Role[];
  /** Whether each call needs approval; `undefined`: unless the operation only reads. */
  readonly approval: boolean | undefined;
  readonly timeoutMs: number;
  readonly maxResultTokens: number;
  /** The act of messages that call it without a model; UNSPECIFIED: none. */
  readonly act: ConversationAct;
  /** The argument that such a message contains; empty: it has none. */
  readonly slot: string;
  readonly slotPattern: RegExp;
  readonly replies: readonly { readonly language: Language; readonly text: string }[];
}

/** Returns the tools of the configuration. Throws ConfigError if two have one name, or if a pattern is no regular expression. */
export function readTools(tools: readonly ToolConfig[]): readonly ConfiguredTool[] {
  const names = new Set<string>();
  return Object.freeze(
    tools.map((tool, index) => {
      const path = `chat.tools[${index}]`;
      if (names.has(tool.name)) throw new ConfigError(`${path}.name`, `two tools have the name "${tool.name}"`);
      names.add(tool.name);
      return Object.freeze({
        name: tool.name,
        chosen: chosenAdapter(ChatConfigSchema.field.tools, tool as never, path),
        title: tool.title || tool.name,
        description: tool.description,
        tenants: Object.freeze([...tool.tenants]),
        roles: Object.freeze([...tool.roles]),
        approval: ifSet(tool, 'approval'),
        timeoutMs: tool.timeoutMs,
        maxResultTokens: tool.maxResultTokens,
        act: tool.act,
        slot: tool.slot,
        slotPattern: readPattern(tool.slotPattern, `${path}.slot_pattern`),
        replies: Object.freeze(tool.replies.map(({ language, text }) => ({ language, text }))),
      });
    }),
  );
}

// Between characters that are no part of a code.
function readPattern(pattern: string, path: string): RegExp {
  try {
    return new RegExp(`(?<![A-Za-z0-9])(?:${pattern})(?![A-Za-z0-9])`, 'iu');
  } catch {
    throw new ConfigError(path, `"${pattern}" is no regular expression`);
  }
}
