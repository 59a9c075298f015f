import { expect, test } from 'vitest';
import { callPieces, startBreakingCaller } from '../../../services/llm-gateway/testing/faulty-provider.ts';
import type { Mode, Policy } from '../testing/fault-matrix-client.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';

// A tool call that ends in the middle × (stream, unary) × each policy of OpenAI's wire. Half of its arguments may be good JSON
// for another call: no client may take it for the whole.

const tool = { type: 'function', function: { name: 'weather', parameters: { type: 'object' } } };
const modes: readonly Mode[] = ['stream', 'unary'];
const policies: readonly Policy[] = ['fail', 'hold-back'];

interface Choice {
  delta?: { tool_calls?: { function: { arguments: string } }[] };
  message?: { tool_calls?: { function: { arguments: string } }[] };
  finish_reason: string | null;
}

test.each([
  ['cut', 'upstream_error'],
  ['without an end', 'truncated'],
] as const)('a call that breaks off (%s) is whole in the end, or an error', async (end, code) => {
  await using provider = await startBreakingCaller(end);
  const models = [{ name: 'm', adapter: 'openai-compatible', settings: { base_url: provider.url, model: 'm' } }];
  await using mesh = await startWholeMesh({ sample: false, random: () => 0, config: { llmGateway: { models } } });
  for (const mode of modes) {
    for (const policy of policies) {
      const response = await fetch(`${mesh.edgeUrl}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${mesh.devKey}` },
        body: JSON.stringify({
          model: 'm',
          stream: mode === 'stream',
          mid_stream_policy: policy,
          messages: [{ role: 'user', content: `${mode}, ${policy}: how is the weather?` }],
          tools: [tool],
        }),
      });
      const sent = await response.text();
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      expect(isStream).toBe(mode === 'stream');
      const data = isStream ? sent.split('\n\n').map((event) => event.slice('data: '.length)) : [sent];
      const bodies = data.filter((one) => one.startsWith('{')).map((one) => JSON.parse(one));
      const choices: Choice[] = bodies.flatMap((body) => body.choices ?? []);
      const calls = choices.flatMap(({ delta, message }) => (delta ?? message)?.tool_calls ?? []);
      const given = calls.map((call) => call.function.arguments).join('');
      const reasons = choices.flatMap(({ finish_reason }) => finish_reason ?? []);
      if (policy === 'hold-back') {
        expect([response.status, given, reasons]).toEqual([200, callPieces.join(''), ['tool_calls']]);
        expect(bodies.at(-1).error).toBeUndefined();
      } else {
        expect([response.status, given]).toEqual(isStream ? [200, callPieces[0]] : [503, '']);
        expect(reasons).toEqual([]);
        expect(bodies.at(-1).error).toMatchObject({ type: 'server_error', code });
      }
      expect(sent.includes('[DONE]')).toBe(isStream && policy === 'hold-back');
    }
  }
});
