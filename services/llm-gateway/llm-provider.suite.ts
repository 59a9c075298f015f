import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { MessageRole, MessageSchema, Outcome } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { collect } from '#kit/streams.ts';
import type { LlmProvider, ProviderEvent, ProviderRequest } from './llm-provider.ts';
import { passagesOf } from './testing.ts';

/** A question with the evidence that answers it, as a provider is asked. */
export function requestOf(init: Partial<ProviderRequest> = {}): ProviderRequest {
  return {
    messages: [
      create(MessageSchema, { role: MessageRole.USER, text: 'How long does a refund to a credit card take?' }),
    ],
    evidence: passagesOf({ title: 'Refunds', text: 'A refund to a credit card takes 5–10 working days.' }),
    maxTokens: 0,
    temperature: undefined,
    topP: undefined,
    stop: [],
    language: Language.EN,
    tools: [],
    ...init,
  };
}

/** What every provider keeps to, where it works as it should. */
export function llmProviderSuite(name: string, createProvider: () => Promise<LlmProvider>): void {
  describe(`${name} keeps to the port of providers`, () => {
    const never = new AbortController().signal;
    let provider: LlmProvider;
    beforeEach(async () => {
      provider = await createProvider();
    });
    afterEach(() => provider.close());

    test('started comes first, then text, and one end', async () => {
      const events = await collect(provider.generate(requestOf(), never));
      const kinds = events.map(({ kind }) => kind);
      expect(events[0]).toMatchObject({ kind: 'started', model: expect.stringMatching(/./) });
      expect(kinds.filter((kind) => kind === 'end')).toHaveLength(1);
      expect(kinds.indexOf('end')).toBeGreaterThan(kinds.lastIndexOf('text'));
      expect(events.find(({ kind }) => kind === 'end')).toMatchObject({ outcome: Outcome.COMPLETE });
      const texts = events.flatMap((event) => (event.kind === 'text' ? [event.text] : []));
      expect(texts.length).toBeGreaterThan(0);
      expect(texts).not.toContain('');
    });

    test('a call that was given up throws the reason', async () => {
      const reason = new Error('gone');
      await expect(collect(provider.generate(requestOf(), AbortSignal.abort(reason)))).rejects.toBe(reason);
    });

    test('a consumer may leave after any event', async () => {
      const whole = await collect(provider.generate(requestOf(), never));
      for (let count = 1; count <= whole.length; count++) {
        const seen: ProviderEvent[] = [];
        for await (const event of provider.generate(requestOf(), never)) {
          seen.push(event);
          if (seen.length === count) break;
        }
        expect(seen).toEqual(whole.slice(0, count));
      }
    });
  });
}
