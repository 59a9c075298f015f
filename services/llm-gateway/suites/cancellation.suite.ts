import { describe, expect, test } from 'vitest';
import type { LlmProvider, ProviderEvent } from '../providers/llm-provider.ts';
import { startWire, type WireReply } from '../testing/wire.ts';
import { requestOf } from './llm-provider.suite.ts';

/** Tests that a cancel closes the connection to the provider, in every stage. `beginning`: a part of a response, with text. */
export function cancellationSuite(name: string, create: (url: string) => LlmProvider, beginning: WireReply): void {
  describe(`cancelling ${name}`, () => {
    const never = new AbortController().signal;
    const reason = new Error('gone');

    test('before it begins sends nothing', async () => {
      await using server = await startWire(undefined);
      await expect(consume(create(server.url), AbortSignal.abort(reason))).rejects.toBe(reason);
      expect(server.requests).toEqual([]);
    });

    test('before the head of the response closes the connection', async () => {
      await using server = await startWire(undefined);
      const controller = new AbortController();
      const events = consume(create(server.url), controller.signal);
      const thrown = expect(events).rejects.toBe(reason);
      await expect.poll(() => server.requests.length, { interval: 5 }).toBe(1);
      controller.abort(reason);
      await thrown;
      await server.brokenOff;
    });

    test('in the middle closes the connection', async () => {
      await using server = await startWire({ ...beginning, staysOpen: true });
      const controller = new AbortController();
      const events = consume(create(server.url), controller.signal, ({ kind }) => {
        if (kind === 'text') setImmediate(() => controller.abort(reason));
      });
      await expect(events).rejects.toBe(reason);
      await server.brokenOff;
    });

    test('by leaving closes the connection', async () => {
      await using server = await startWire({ ...beginning, staysOpen: true });
      for await (const { kind } of create(server.url).generate(requestOf(), never)) if (kind === 'text') break;
      await server.brokenOff;
    });
  });
}

async function consume(
  provider: LlmProvider,
  signal: AbortSignal,
  onEvent: (event: ProviderEvent) => void = () => {},
): Promise<void> {
  for await (const event of provider.generate(requestOf(), signal)) onEvent(event);
}
