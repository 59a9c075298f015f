import { afterEach, expect, test, vi } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { stretched } from '#kit/testing/time.ts';
import { half, wholeText, wholeUsage } from '../../../services/llm-gateway/testing/faults.ts';
import { otherSuffix, startFlappingProvider } from '../../../services/llm-gateway/testing/faulty-provider.ts';
import {
  type Completion,
  completionsAt,
  type Mode,
  type Policy,
  readCompletion,
} from '../testing/fault-matrix-client.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';

// A provider that flaps for a minute × (stream, unary) × each policy of OpenAI's wire, with the breaker as it is without settings. The
// minute is one of a clock that the test moves; connections, replies and what waits for them are real.

const modes: readonly Mode[] = ['stream', 'unary'];
const policies: readonly Policy[] = ['fail', 'hold-back'];
const flapSeconds = 4;
/** The longest time for one completion, by a clock that does not move by itself. */
const longestMs = 5000;

afterEach(() => {
  vi.useRealTimers();
});

interface Met {
  mode: Mode;
  policy: Policy;
  completion: Completion;
  tookMs: number;
  /** Attempts at the provider while it was ill. */
  illCount: number;
}

/** Asks once a second, in each mode by each policy, for a minute. */
async function flapForAMinute(fault: string) {
  await using flapping = await startFlappingProvider(fault);
  const model = (name: string) => ({
    name,
    adapter: 'openai-compatible',
    settings: { base_url: flapping.url, model: name },
  });
  const models = [model('a'), model(otherSuffix)];
  const routes = [{ name: 'pair', models: models.map(({ name }) => name) }];
  // The clock does not move during a request, so it cannot wait at a target.
  await using mesh = await startWholeMesh({ sample: false, config: { llmGateway: { models, routes, stayMs: 0 } } });
  const completions = completionsAt(mesh.edgeUrl);
  const met: Met[] = [];
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  for (let second = 0; second < 60; second++) {
    flapping.setWell(Math.floor(second / flapSeconds) % 2 === 0);
    for (const mode of modes) {
      for (const policy of policies) {
        const illBefore = flapping.count.ill;
        const startedAt = process.hrtime.bigint();
        const response = await completions({ key: mesh.devKey, model: 'pair', prompt: 'How long?', mode, policy });
        const completion = await readCompletion(response);
        const tookMs = Number(process.hrtime.bigint() - startedAt) / 1e6;
        met.push({ mode, policy, completion, tookMs, illCount: flapping.count.ill - illBefore });
      }
    }
    // A moment more, so that a wait of whole seconds is over at their end.
    vi.advanceTimersByTime(1001);
  }
  const pending = async () =>
    /^ragmesh_llm_ledger_pending (\d+)/m.exec(await mesh.host.metrics.registry.metrics())?.[1];
  for (let tries = 0; tries < 1000 && (await pending()) !== '0'; tries++) await sleep(10);
  const auditor = await mesh.as(testPrincipal({ tenant: 'demo' }));
  const { rows } = await mesh.client(AuditService).getUsageReport({}, auditor);
  const sum = (amount: (row: (typeof rows)[number]) => bigint) =>
    Number(rows.reduce((total, row) => total + amount(row), 0n));
  const charged = { prompt: sum((row) => row.promptTokens), completion: sum((row) => row.completionTokens) };
  return { met, count: flapping.count, charged };
}

const isWhole = ({ completion }: Met) =>
  completion.status === 200 && completion.text === wholeText && completion.finishReason === 'stop';

test('no caller notices a provider that fails immediately; its circuit stays open while it fails', async () => {
  const { met, count, charged } = await flapForAMinute('500');
  expect(met.filter((one) => !isWhole(one))).toEqual([]);
  expect(Math.max(...met.map(({ tookMs }) => tookMs))).toBeLessThan(stretched(longestMs));
  // Five failures in a row from second 4 on; a probe at 15 meets it ill, one at 25 well; five from 28 on, a probe at 39 ill, one at 49
  // well; five from 52 on.
  expect(count.ill).toBe(17);
  expect(count.well + count.other).toBe(met.length);
  expect(charged).toEqual({
    prompt: met.length * wholeUsage.promptTokens,
    completion: met.length * wholeUsage.completionTokens,
  });
});

test('only a caller that gets each delta immediately notices a stream that ends early, and gets an error', async () => {
  const { met, count } = await flapForAMinute('a cut');
  for (const one of met) {
    const { mode, policy, completion, illCount } = one;
    if (illCount === 0 || policy === 'hold-back') expect(isWhole(one)).toBe(true);
    else if (mode === 'stream') {
      expect(completion).toMatchObject({ status: 200, text: half, finishReason: undefined, isDone: false });
      expect(completion.error).toMatchObject({ code: 'upstream_error' });
    } else expect(completion).toMatchObject({ status: 503, text: '', error: { code: 'upstream_error' } });
    expect(illCount).toBeLessThanOrEqual(1);
  }
  expect(Math.max(...met.map(({ tookMs }) => tookMs))).toBeLessThan(stretched(longestMs));
  // Ill for 28 seconds, and asked in far fewer of them.
  expect(count.ill).toBeLessThan((28 * modes.length * policies.length) / 3);
  const noticedCount = met.filter((one) => !isWhole(one)).length;
  expect(count.well + count.other).toBe(met.length - noticedCount);
});
