import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type GenerateRequest,
  type LLMGatewayService,
  Outcome,
  Task,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { randomId } from '#kit/base/random-id.ts';
import { activeTraceId } from '#kit/host/telemetry/telemetry.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { type Charges, createCharges } from './accounting/charges.ts';
import type { Ledger } from './accounting/ledger.ts';
import { reservationAmountOf } from './accounting/reservation.ts';
import type { Response } from './attempts/answer.ts';
import { type Attempt, startAttempt } from './attempts/attempt.ts';
import { endSpan, startRequestSpan } from './attempts/gen-ai-attributes.ts';
import { generate } from './attempts/generate.ts';
import type { HedgeShare } from './attempts/hedge.ts';
import { createFailover, type Failover } from './failover/failover.ts';
import type { Limits, Reservation } from './limits/limits.ts';
import { isOfCaller, maskGenerateRequest, showGenerated } from './masking/masked-generate.ts';
import type { GatewayMetrics } from './metrics.ts';
import { checkImages } from './providers/check-images.ts';
import { toProviderRequest } from './providers/request.ts';
import { extraFieldsOf } from './routing/extra-fields.ts';
import { needsOf } from './routing/filter.ts';
import { targetsFor } from './routing/route.ts';
import { modelsOf } from './targets/catalog.ts';
import type { CatalogHolder } from './targets/catalog-holder.ts';

/** What the gateway depends on. */
export interface GatewayDeps {
  catalogs: CatalogHolder;
  limits: Limits;
  ledger: Pick<Ledger, 'record'>;
  hedgeShare: HedgeShare;
  /** Returns the opaque name of a tenant for providers. */
  tagOf: (tenant: string) => string;
  /** Returns the masks of a new request; `undefined` if the tenant masks nothing. */
  masksOf: (principal: Principal) => RequestMasks | undefined;
  log: Logger;
  metrics: GatewayMetrics;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
}

/** Timeout of a request whose caller sets no deadline, in milliseconds. */
const defaultTimeoutMs = 120_000;

/** Returns the rpcs of the gateway. */
export function createLlmGateway(deps: GatewayDeps): ServiceHandlers<typeof LLMGatewayService> {
  return {
    generate(request, context) {
      const masks = isOfCaller(request) ? deps.masksOf(context.principal) : undefined;
      if (masks === undefined) return serve(request, context, deps);
      return showGenerated(masks, serve(maskGenerateRequest(request, masks), context, deps));
    },
    listModels: () => ({ models: modelsOf(deps.catalogs.current) }),
  };
}

/**
 * Serves one request, from its admission to its settlement. Whatever happens, and whenever the caller leaves: every attempt ends, the usage
 * is settled and recorded once, and the catalog is released. It is an iterator and not a generator around a generator, which would
 * double the promises of each message.
 */
function serve(given: GenerateRequest, context: CallContext, deps: GatewayDeps): AsyncIterableIterator<Responses> {
  const { signal } = context;
  let opening: Promise<void> | undefined;
  let responses: AsyncGenerator<Responses, Outcome> | undefined;
  let close: ((outcome: Outcome, failure: string) => void) | undefined;
  let isOver = false;

  const open = async () => {
    const { limits, ledger, random, metrics, log } = deps;
    const requestedAt = deps.clock();
    const deadlineAt = performance.now() + (context.timeoutMs() ?? defaultTimeoutMs);
    const { tenant, user, keyId } = context.principal;
    const limited = { tenant, user, key: keyId || given.limitKey, model: given.model };
    const { request, warnings } = withCompletionLimit(given, () => limits.maxCompletionTokens(limited));
    const requestId = request.requestId || randomId(random);
    const { catalog, release } = deps.catalogs.lease();
    const { span, inner } = startRequestSpan(request.model, request.task || Task.ANSWER);
    const charges: Charges = createCharges();
    const running = new Set<Attempt>();
    let callCount = 0;
    let reservation: Reservation | undefined;
    let failover: Failover | undefined;
    close = (outcome, failure) => {
      close = undefined;
      for (const attempt of [...running]) attempt.cancel(signal.reason ?? callerLeft);
      reservation?.settle(charges.total());
      const { usages } = charges;
      if (usages.length > 0) {
        const purpose = purposeOf(given);
        const costCentre = limits.costCentreOf(limited);
        ledger.record({ requestId, usages, requestedAt, traceId: activeTraceId(), purpose, costCentre }, context);
      }
      const attemptCount = failover?.attemptCount ?? 0;
      endSpan(span, { outcome, model: '', failure, usage: undefined, firstTokenMs: undefined, attemptCount });
      release();
    };
    checkImages(request.messages);
    const needs = needsOf(request);
    const targets = targetsFor(request, needs, catalog, random);
    const fields = extraFieldsOf(request, targets);
    const asked = { requestId, ...limited, model: request.model || (targets[0]?.name ?? '') };
    reservation = await limits.admit(
      { ...asked, amount: () => reservationAmountOf(targets, needs, catalog.prices) },
      signal,
    );
    const { requests, tokens } = reservation;
    const { maxAttempts, stayMs } = catalog;
    failover = createFailover({ targets, maxAttempts, stayMs, deadlineAt, signal, random, request });
    const tenantTag = deps.tagOf(tenant);
    responses = generate({
      request,
      warnings,
      standing: { ...(requests && { requests }), ...(tokens && { tokens }) },
      failover,
      start(permit, prefix) {
        const attempt = startAttempt(
          permit,
          toProviderRequest(permit.target, request, needs, fields, tenantTag, prefix),
          {
            metrics,
            prices: catalog.prices,
            promptTokens: () => needs.promptTokens,
            newCallId: () => `call_${randomId(random)}${(callCount++).toString(32)}`,
            signal,
            parent: inner,
            onOver(over, result) {
              running.delete(over);
              charges.add(over.target, result);
            },
          },
        );
        running.add(attempt);
        return attempt;
      },
      hedgeDelayMs: catalog.hedging.delayMs,
      hedgeMaxShare: catalog.hedging.maxShare,
      hedgeShare: deps.hedgeShare,
      retryFiltered: catalog.retryFiltered,
      metrics,
      log,
    });
  };
  const onResult = (result: IteratorResult<Responses, Outcome>): IteratorResult<Responses> => {
    if (result.done !== true) return result;
    isOver = true;
    close?.(result.value ?? Outcome.CANCELLED, '');
    return over;
  };
  const onFailure = (error: unknown): never => {
    isOver = true;
    const failure = errorInfoOf(error)?.reason.toLowerCase() ?? 'cancelled';
    close?.(signal.aborted ? Outcome.CANCELLED : Outcome.UPSTREAM_ERROR, failure);
    throw error;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (isOver) return Promise.resolve(over);
      if (responses !== undefined) return responses.next().then(onResult, onFailure);
      opening ??= open();
      return opening.then(() => this.next(), onFailure);
    },
    async return() {
      isOver = true;
      try {
        await opening;
        await responses?.return(Outcome.CANCELLED);
      } finally {
        close?.(Outcome.CANCELLED, '');
      }
      return over;
    },
  };
}

/** A message, or several that are there together. */
type Responses = Response | Response[];

const purposes: Record<number, string> = {
  [Task.ANSWER]: 'answer',
  [Task.REWRITE]: 'rewrite',
  [Task.ROUTE]: 'route',
  [Task.SUMMARIZE]: 'summarize',
  [Task.ENRICH]: 'enrich',
};

/** Returns what a model is called for, as the ledger names it. */
function purposeOf(request: GenerateRequest): string {
  if (isOfCaller(request)) return 'completion';
  return purposes[request.task] ?? '';
}

/** Returns the request with a completion of at most `limit()` tokens, and a warning if that is less than the caller asked for. */
function withCompletionLimit(
  request: GenerateRequest,
  limit: () => number,
): { request: GenerateRequest; warnings: string[] } {
  const { maxTokens } = request;
  const limitTokens = maxTokens === 0 ? 0 : limit();
  if (maxTokens <= limitTokens) return { request, warnings: [] };
  const warning = `max_tokens was lowered from ${maxTokens} to ${limitTokens}, the limit of the tenant or key`;
  return { request: { ...request, maxTokens: limitTokens }, warnings: [warning] };
}

const over = { done: true as const, value: undefined };
const callerLeft = new DOMException('the caller left', 'AbortError');
