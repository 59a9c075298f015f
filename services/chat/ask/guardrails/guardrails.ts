import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { LRUCache } from 'lru-cache';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  GuardrailAction,
  GuardrailActionSchema,
  GuardrailCategory,
  GuardrailCategorySchema,
  GuardrailPoint,
  GuardrailPointSchema,
  type GuardrailVerdict,
  GuardrailVerdictSchema,
} from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { deadlineExceeded, toRpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Breaker } from '#kit/breaker/breaker.ts';
import type { Breakers } from '#kit/breaker/breakers.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { ConfiguredGuardrail } from './configured.ts';
import type { Finding, Guardrail, GuardrailDeps } from './guardrail.ts';

/** The guardrails of a process. */
export interface Guardrails {
  /** Returns the verdicts on a question of a tenant; empty if it follows every rule. */
  question(tenant: string, text: string, signal: AbortSignal): Promise<GuardrailVerdict[]>;
  /** Returns the passages that an answer may use, in their order, and the verdicts on those that break a rule. */
  evidence(
    tenant: string,
    passages: readonly Passage[],
    signal: AbortSignal,
  ): Promise<{ passages: Passage[]; verdicts: GuardrailVerdict[] }>;
}

/** Characters of texts whose findings are remembered, for each guardrail. */
const rememberedChars = 4_000_000;
/** Most verdicts on the texts of one point: the contract's limit is for both. */
const maxVerdicts = 32;

// A caller that leaves says nothing of the guardrail.
const isFailure = (error: unknown) => toRpcError(error).code !== Code.Canceled;

interface Running {
  readonly configured: ConfiguredGuardrail;
  readonly port: Guardrail;
  readonly breaker: Breaker;
  readonly remembered: LRUCache<string, readonly Finding[]>;
}

/** Creates the configured guardrails. Throws ConfigError if the settings of one are wrong. */
export async function createGuardrails(
  configured: readonly ConfiguredGuardrail[],
  deps: { folder: URL; fetch: GuardrailDeps['fetch']; breakers: Breakers; log: Logger },
): Promise<Guardrails> {
  const all: Running[] = [];
  for (const one of configured) {
    const { adapter, settings, path } = one.chosen;
    const port = await createFromAdapter<Guardrail, GuardrailDeps>(
      deps.folder,
      adapter,
      settings,
      { fetch: deps.fetch, path },
      path,
    );
    const breaker = deps.breakers(`guardrail ${one.name}`);
    const remembered = new LRUCache<string, readonly Finding[]>({
      maxSize: rememberedChars,
      sizeCalculation: (_, text) => text.length + 50,
    });
    all.push({ configured: one, port, breaker, remembered });
  }
  const of = (tenant: string, point: GuardrailPoint) =>
    all.filter(
      ({ configured: { tenants, points } }) =>
        points.includes(point) && (tenants.length === 0 || tenants.includes(tenant)),
    );
  return {
    async question(tenant, text, signal) {
      const running = of(tenant, GuardrailPoint.QUESTION);
      const found = await Promise.all(running.map((one) => verdictsOf(one, [text], signal, deps.log)));
      return found
        .flatMap(([verdicts = []]) => verdicts.map((verdict) => toVerdict(verdict, GuardrailPoint.QUESTION)))
        .slice(0, maxVerdicts);
    },
    async evidence(tenant, passages, signal) {
      const running = of(tenant, GuardrailPoint.EVIDENCE);
      if (running.length === 0 || passages.length === 0) return { passages: [...passages], verdicts: [] };
      // A title is a part of the prompt too.
      const texts = passages.map(({ title, headingPath, text }) => [title, ...headingPath, text].join('\n'));
      const found = await Promise.all(running.map((one) => verdictsOf(one, texts, signal, deps.log)));
      const verdicts: GuardrailVerdict[] = [];
      const kept = passages.filter(({ chunkId }, index) => {
        const own = found.flatMap((each) => each[index] ?? []);
        verdicts.push(...own.map((verdict) => toVerdict(verdict, GuardrailPoint.EVIDENCE, chunkId)));
        return !own.some(({ action }) => action === GuardrailAction.BLOCK);
      });
      return { passages: kept, verdicts: verdicts.slice(0, maxVerdicts) };
    },
  };
}

/** Reports whether a verdict forbids to answer the question. */
export function isBlocked(verdicts: readonly GuardrailVerdict[]): boolean {
  return verdicts.some(({ point, action }) => point === GuardrailPoint.QUESTION && action === GuardrailAction.BLOCK);
}

/** Returns the labels of a verdict in metrics. */
export function labelsOf({ guardrail, point, category, action }: GuardrailVerdict) {
  return {
    guardrail,
    point: enumName(GuardrailPointSchema, point).toLowerCase(),
    category: enumName(GuardrailCategorySchema, category).toLowerCase(),
    action: enumName(GuardrailActionSchema, action).toLowerCase(),
  };
}

interface Judged extends Finding {
  guardrail: string;
  action: GuardrailAction;
}

// The findings of each text. A guardrail that fails or is late says so of each of them, and one that hangs costs no more time.
async function verdictsOf(
  running: Running,
  texts: readonly string[],
  signal: AbortSignal,
  log: Logger,
): Promise<Judged[][]> {
  const { name: guardrail, action, onFailure, timeoutMs } = running.configured;
  try {
    const found = await findingsOf(running, texts, signal, timeoutMs);
    return texts.map((_, index) => (found[index] ?? []).map((finding) => ({ ...finding, guardrail, action })));
  } catch (error) {
    if (signal.aborted) throw error;
    log.warn({ event: 'guardrail_failed', guardrail, err: error }, 'guardrail failed');
    const unchecked = { category: GuardrailCategory.UNCHECKED, rule: 'not checked', score: 0 };
    return texts.map(() => [{ ...unchecked, guardrail, action: onFailure }]);
  }
}

async function findingsOf(
  { port, breaker, remembered }: Running,
  texts: readonly string[],
  signal: AbortSignal,
  timeoutMs: number,
): Promise<readonly (readonly Finding[])[]> {
  if (port.isLocal) {
    const unknown = texts.filter((text) => !remembered.has(text));
    const found = unknown.length === 0 ? [] : await port.check(unknown, signal);
    for (const [index, text] of unknown.entries()) remembered.set(text, found[index] ?? []);
    const made = new Map(unknown.map((text, index) => [text, found[index] ?? []]));
    return texts.map((text) => made.get(text) ?? remembered.get(text) ?? []);
  }
  const toTimeoutError = () => deadlineExceeded(`no verdict within ${timeoutMs} ms`);
  const work = async (ends: AbortSignal) => {
    const found = await port.check(texts, ends);
    if (found.length !== texts.length) throw new Error(`${found.length} verdicts on ${texts.length} texts`);
    return found;
  };
  return await breaker.run(work, { timeoutMs, signals: [signal], toTimeoutError }, isFailure);
}

function toVerdict(
  { guardrail, category, rule, score, action }: Judged,
  point: GuardrailPoint,
  chunkId = '',
): GuardrailVerdict {
  return create(GuardrailVerdictSchema, {
    guardrail,
    point,
    category,
    rule: rule.slice(0, 128),
    score,
    action,
    chunkId,
  });
}
