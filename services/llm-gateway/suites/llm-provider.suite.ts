import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { MessageRole, MessageSchema, Outcome, ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { ProviderError } from '../providers/error.ts';
import type { LlmProvider, ProviderEvent, ProviderRequest } from '../providers/llm-provider.ts';
import { passagesOf } from '../testing/provider-server.ts';

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
    seed: undefined,
    frequencyPenalty: undefined,
    presencePenalty: undefined,
    stop: [],
    language: Language.EN,
    tools: [],
    toolChoice: undefined,
    parallelToolCalls: undefined,
    responseFormat: undefined,
    reasoningEffort: ReasoningEffort.UNSPECIFIED,
    promptCacheSeconds: 0,
    prefix: '',
    whole: false,
    tenantTag: '',
    extra: {},
    reasoningField: '',
    callExtraContent: false,
    warnings: [],
    ...init,
  };
}

/** The contract of every provider that works. The provider answers each request with a complete text. */
export function llmProviderSuite(name: string, createProvider: () => Promise<LlmProvider>): void {
  describe(`${name} conforms to the port of providers`, () => {
    const never = new AbortController().signal;
    let provider: LlmProvider;
    beforeEach(async () => {
      provider = await createProvider();
    });
    afterEach(() => provider.close());

    test('it has a name, and says what it can take', () => {
      const { contextTokens, maxOutputTokens, requestFields = [], ...abilities } = provider.capabilities;
      expect(provider.name).toMatch(/./);
      expect([contextTokens, maxOutputTokens].every((count) => Number.isInteger(count) && count >= 0)).toBe(true);
      expect(requestFields.every((field) => /^[a-z_]+$/.test(field))).toBe(true);
      expect(Object.values(abilities).every((ability) => typeof ability === 'boolean')).toBe(true);
    });

    test('started comes first, then text, and one end', async () => {
      const events = await collect(provider.generate(requestOf(), never));
      const kinds = events.map(({ kind }) => kind);
      expect(events[0]).toMatchObject({ kind: 'started', model: expect.stringMatching(/./), warnings: [] });
      expect(kinds.filter((kind) => kind === 'started')).toHaveLength(1);
      expect(kinds.filter((kind) => kind === 'end')).toHaveLength(1);
      expect(kinds.indexOf('end')).toBeGreaterThan(kinds.lastIndexOf('text'));
      expect(events.find(({ kind }) => kind === 'end')).toMatchObject({ outcome: Outcome.COMPLETE });
      const texts = events.flatMap((event) => (event.kind === 'text' ? [event.text] : []));
      expect(texts.length).toBeGreaterThan(0);
      expect(texts).not.toContain('');
    });

    test('tokens are counts or not reported, and the parts are no larger than the whole', async () => {
      const events = await collect(provider.generate(requestOf(), never));
      for (const event of events) {
        if (event.kind !== 'usage') continue;
        const { promptTokens, completionTokens, ...parts } = event.usage;
        const counts = [promptTokens, completionTokens, ...Object.values(parts)];
        expect(counts.every((count) => count === undefined || (Number.isInteger(count) && count >= 0))).toBe(true);
        expect(parts.reasoningTokens ?? 0).toBeLessThanOrEqual(completionTokens ?? Number.POSITIVE_INFINITY);
        const cached = (parts.cachedPromptTokens ?? 0) + (parts.cacheWriteTokens ?? 0);
        expect(cached).toBeLessThanOrEqual(promptTokens ?? Number.POSITIVE_INFINITY);
      }
    });

    test('a partial answer is continued or refused, never ignored', async () => {
      const events = collect(provider.generate(requestOf({ prefix: 'A refund takes' }), never));
      if (provider.capabilities.prefill) await events;
      // The configuration may know better than the adapter, so it may also take one without declaring that it can.
      else await events.catch((error) => expect(error).toMatchObject({ name: 'ProviderError', remedy: 'elsewhere' }));
    });

    test('a reply in one piece has the same events', async () => {
      const events = await collect(
        provider.generate(requestOf({ whole: provider.capabilities.whole === true }), never),
      );
      const streamed = await collect(provider.generate(requestOf(), never));
      const textOf = (all: readonly ProviderEvent[]) =>
        all.map((event) => (event.kind === 'text' ? event.text : '')).join('');
      expect(textOf(events)).toBe(textOf(streamed));
      expect(events.filter(({ kind }) => kind === 'end')).toEqual(streamed.filter(({ kind }) => kind === 'end'));
    });

    test('a call that was given up throws the reason', async () => {
      const reason = new Error('gone');
      await expect(collect(provider.generate(requestOf(), AbortSignal.abort(reason)))).rejects.toBe(reason);
    });

    test('a call that is given up in the middle throws the reason', async () => {
      const controller = new AbortController();
      const reason = new Error('gone');
      const consume = async () => {
        for await (const { kind } of provider.generate(requestOf(), controller.signal)) {
          if (kind === 'started') controller.abort(reason);
        }
      };
      await expect(consume()).rejects.toBe(reason);
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

/** Returns the ProviderError of a call; fails if the call ends with anything else. */
export async function providerErrorOf(events: AsyncIterable<ProviderEvent>): Promise<ProviderError> {
  const thrown = await collect(events).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof ProviderError)) throw new Error('a ProviderError was expected', { cause: thrown });
  return thrown;
}
