import { ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { within } from '#kit/base/within.ts';
import type { Tool } from '../tools/tool.ts';

/** What the server of a suite received. */
export interface SeenCall {
  orderId: string;
  identity: string;
  language: string;
}

/** What the operation of the suite's server does with an order, whatever its protocol is. */
export const orders = {
  found: 'A-1',
  /** It fails, with a text that no caller may see. */
  failing: 'A-2',
  /** It never replies. */
  silent: 'A-3',
  /** It replies with a megabyte. */
  huge: 'A-4',
} as const;
export const serverSecret = 'password of the database';
export const status = (orderId: string) => (orderId === orders.huge ? 'x'.repeat(1 << 20) : 'on its way');

/** A server on loopback with the operation, and the tool that calls it. */
export interface ToolFixture {
  tool: Tool;
  /** Calls of the operation. */
  seen: SeenCall[];
  close(): Promise<void>;
}

/** The contract of a tool. Each adapter passes it against a real server of its protocol. */
export function describeTool(name: string, start: () => Promise<ToolFixture>): void {
  describe(`a tool over ${name}`, () => {
    let fixture: ToolFixture;
    beforeAll(async () => {
      fixture = await start();
    });
    afterAll(async () => {
      await fixture.tool.close();
      await fixture.close();
    });
    const signal = new AbortController().signal;
    const call = (orderId: string, ends: AbortSignal = signal) =>
      fixture.tool.call({ arguments: { order_id: orderId }, identity: 'token-of-ann', language: 'zh' }, ends);
    const errorOf = (work: Promise<unknown>) =>
      work.then(
        () => undefined,
        (error: unknown) => error,
      );

    test('says what it does and takes, and that it only reads', async () => {
      const operation = await fixture.tool.describe(signal);
      expect(operation.description).toContain('where an order is');
      expect(operation.parameters).toMatchObject({ type: 'object', properties: { order_id: { type: 'string' } } });
      expect(operation.isReadOnly).toBe(true);
    });

    test('returns the fields of the result; the caller is in a header, and no argument', async () => {
      fixture.seen.length = 0;
      expect(await call(orders.found)).toMatchObject({ order_id: orders.found, status: 'on its way' });
      expect(fixture.seen).toEqual([{ orderId: orders.found, identity: 'Bearer token-of-ann', language: 'zh' }]);
    });

    test('fails once, and without the words of the server', async () => {
      fixture.seen.length = 0;
      const error = await errorOf(call(orders.failing));
      expect(error).toBeInstanceOf(ConnectError);
      expect((error as ConnectError).message).not.toContain(serverSecret);
      expect(fixture.seen).toHaveLength(1);
    });

    test('ends when its signal does', async () => {
      fixture.seen.length = 0;
      const leaving = new AbortController();
      const work = errorOf(call(orders.silent, leaving.signal));
      await within(
        async () => {
          while (fixture.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        },
        { timeoutMs: 20_000 },
      );
      leaving.abort(new Error('left'));
      expect(await within(() => work, { timeoutMs: 20_000 })).toBeInstanceOf(Error);
      // The connection serves the next call.
      expect(await call(orders.found)).toMatchObject({ order_id: orders.found });
    });

    test('refuses a reply without a bound', async () => {
      expect(await errorOf(call(orders.huge))).toBeInstanceOf(ConnectError);
    });
  });
}
