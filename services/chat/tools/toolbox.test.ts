import { expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import type { ConfiguredTool } from './configured.ts';
import type { Tool } from './tool.ts';
import { createToolbox } from './toolbox.ts';

const { signal } = new AbortController();
const configured = (change: Partial<ConfiguredTool> = {}) =>
  ({
    name: 'lookup',
    tenants: [],
    roles: [],
    approval: undefined,
    timeoutMs: 20_000,
    ...change,
  }) as unknown as ConfiguredTool;

/** A toolbox with one tool, and how often it was described. */
function toolbox(change: Partial<ConfiguredTool> = {}, port: Partial<Tool> = {}) {
  const state = { nowMs: 0, describedCount: 0, isAway: false };
  const tool: Tool = {
    async describe() {
      state.describedCount++;
      if (state.isAway) throw new Error('away');
      return { description: '', parameters: { type: 'object' }, isReadOnly: false };
    },
    call: async () => ({}),
    close: async () => {},
    ...port,
  };
  const box = createToolbox({
    tools: [{ configured: configured(change), port: tool }],
    sign: async ({ user }, name) => `${user} for ${name}`,
    clock: () => state.nowMs,
    log: createLogger('silent'),
  });
  return { ...box, state, offeredTo: (init = {}) => box.offered(testPrincipal(init), signal) };
}

test('a tool is offered to its tenants and roles, and described only for them', async () => {
  const box = toolbox({ tenants: ['acme'], roles: [Role.OPERATOR, Role.EDITOR] });
  expect(await box.offeredTo({ tenant: 'other' })).toEqual([]);
  expect(await box.offeredTo({ roles: [Role.READER] })).toEqual([]);
  expect(box.state.describedCount).toBe(0);
  expect(await box.offeredTo({ roles: [Role.EDITOR] })).toHaveLength(1);
});

test('a description is read once, and again after a while; meanwhile the old one is offered', async () => {
  const box = toolbox();
  await Promise.all([box.offeredTo(), box.offeredTo()]);
  expect(box.state.describedCount).toBe(1);
  box.state.nowMs += 600_001;
  box.state.isAway = true;
  expect(await box.offeredTo()).toHaveLength(1);
  expect(box.state.describedCount).toBe(2);
  expect(await box.offeredTo()).toHaveLength(1);
});

test('a tool that is away is not offered, and not asked at each question', async () => {
  const box = toolbox();
  box.state.isAway = true;
  expect(await box.offeredTo()).toEqual([]);
  expect(await box.offeredTo()).toEqual([]);
  expect(box.state.describedCount).toBe(1);
  box.state.isAway = false;
  box.state.nowMs += 15_001;
  expect(await box.offeredTo()).toHaveLength(1);
});

test.each([
  [undefined, true],
  [true, true],
  [false, false],
])(
  'an operation that may change something needs approval, unless the configuration says %s',
  async (approval, needs) => {
    const [offered] = await toolbox({ approval }).offeredTo();
    expect(offered?.needsApproval).toBe(needs);
  },
);

test('a call has the identity of its caller, and no more time than the caller or the tool has', async () => {
  const seen: string[] = [];
  const silent = toolbox(
    { timeoutMs: 30 },
    {
      call: ({ identity }, ends) => {
        seen.push(identity);
        return new Promise((_, reject) => ends.addEventListener('abort', () => reject(ends.reason)));
      },
    },
  );
  const [offered] = await silent.offeredTo();
  const caller = { principal: testPrincipal(), language: '', signal, timeoutMs: 60_000 };
  await expect(offered?.call({}, caller)).rejects.toThrow('gave no result within 30 ms');
  await expect(offered?.call({}, { ...caller, timeoutMs: 5 })).rejects.toThrow('within 5 ms');
  expect(seen).toEqual(['ann for lookup', 'ann for lookup']);
});
