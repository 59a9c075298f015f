import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { z } from 'zod';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import type { ConfiguredTool } from './configured.ts';
import type { Tool, ToolOperation } from './tool.ts';

/** A tool that a caller may use now. */
export interface OfferedTool {
  readonly tool: ConfiguredTool;
  readonly operation: ToolOperation;
  /** Whether the caller must approve each call. */
  readonly needsApproval: boolean;
  /** Returns what is wrong with arguments, in one line; `undefined` if they are valid. */
  check(given: unknown): string | undefined;
  /** Calls it as the caller, within the time of the tool. Never without arguments that are valid. */
  call(given: JsonObject, caller: ToolCaller): Promise<JsonValue>;
}

/** Who calls a tool, and for how long. */
export interface ToolCaller {
  readonly principal: Principal;
  /** "zh", "en" or empty. */
  readonly language: string;
  readonly signal: AbortSignal;
  /** Time that the caller has left in milliseconds; `undefined`: no limit. */
  readonly timeoutMs: number | undefined;
}

/** The configured tools. */
export interface Toolbox {
  /** Returns the tools that a caller may use. One whose description cannot be read is left out, which is logged. */
  offered(principal: Principal, signal: AbortSignal): Promise<readonly OfferedTool[]>;
  close(): Promise<void>;
}

/** What the toolbox needs. */
export interface ToolboxDeps {
  readonly tools: readonly { readonly configured: ConfiguredTool; readonly port: Tool }[];
  /** Makes the token that only the named tool accepts. */
  readonly sign: (principal: Principal, toolName: string) => Promise<string>;
  readonly clock: () => number;
  readonly log: Logger;
}

/** Age from which a description is read again, and pause after one that could not be read, in milliseconds. */
const freshMs = 600_000;
const pauseMs = 15_000;
/** Time for a description, in milliseconds. */
const describeMs = 3000;

/** Creates the toolbox. Descriptions are read when they are first needed: a tool that is away does not stop the start. */
export function createToolbox({ tools, sign, clock, log }: ToolboxDeps): Toolbox {
  const entries = tools.map(({ configured, port }) => {
    let known: { offered: OfferedTool | undefined; until: number } | undefined;
    let reading: Promise<OfferedTool | undefined> | undefined;
    const read = async (): Promise<OfferedTool | undefined> => {
      try {
        const operation = await within((signal) => port.describe(signal), { timeoutMs: describeMs });
        const offered = offer(configured, port, operation, sign);
        known = { offered, until: clock() + freshMs };
        return offered;
      } catch (error) {
        log.warn({ err: error, event: 'tool_not_described', tool: configured.name }, 'tool cannot be described');
        // The last description is better than none.
        known = { offered: known?.offered, until: clock() + pauseMs };
        return known.offered;
      } finally {
        reading = undefined;
      }
    };
    const get = (): Promise<OfferedTool | undefined> | OfferedTool | undefined => {
      if (known !== undefined && clock() < known.until) return known.offered;
      reading ??= read();
      return known?.offered ?? reading;
    };
    return { configured, port, get };
  });
  return {
    async offered(principal, signal) {
      const allowed = entries.filter(({ configured }) => mayUse(configured, principal));
      if (allowed.length === 0) return [];
      const offered = await within(() => Promise.all(allowed.map(({ get }) => get())), {
        signals: [signal],
        timeoutMs: describeMs,
      });
      return offered.filter((tool) => tool !== undefined);
    },
    async close() {
      await Promise.all(entries.map(({ port }) => port.close()));
    },
  };
}

function mayUse({ tenants, roles }: ConfiguredTool, principal: Principal): boolean {
  if (tenants.length > 0 && !tenants.includes(principal.tenant)) return false;
  return roles.length === 0 || roles.some((role) => principal.roles.includes(role));
}

function offer(tool: ConfiguredTool, port: Tool, operation: ToolOperation, sign: ToolboxDeps['sign']): OfferedTool {
  const schema = z.fromJSONSchema(operation.parameters as Parameters<typeof z.fromJSONSchema>[0]);
  return {
    tool,
    operation,
    needsApproval: tool.approval ?? !operation.isReadOnly,
    check(given) {
      const issue = schema.safeParse(given).error?.issues[0];
      return issue === undefined ? undefined : `${issue.path.join('.') || 'arguments'}: ${issue.message}`.slice(0, 200);
    },
    async call(given, { principal, language, signal, timeoutMs }) {
      const identity = await sign(principal, tool.name);
      const longest = Math.min(tool.timeoutMs, timeoutMs ?? tool.timeoutMs);
      return within((ends) => port.call({ arguments: given, identity, language }, ends), {
        signals: [signal],
        timeoutMs: longest,
        toTimeoutError: () => unavailable('tool', `${tool.name} gave no result within ${longest} ms`),
      });
    },
  };
}
