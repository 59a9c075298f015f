import type { Client } from '@connectrpc/connect';
import { type LLMGatewayService, type Model, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { subjectTurns } from '../acts/converse.ts';
import type { Routed, Router } from '../acts/router.ts';
import type { PastTurn } from '../answer/turn.ts';
import type { ChatSettings } from '../config.ts';
import type { ChatMetrics } from '../metrics.ts';
import { type StandaloneQuestion, toStandalone } from './rewrite.ts';
import { readRewrite, rewriteInstructions, rewriteText } from './rewrite-by-model.ts';
import { readRoute, routeInstructions, routeText } from './route-by-model.ts';
import { completeShort, hasTask, type ShortTask } from './short-completion.ts';

/** What the interpretation of a message needs. */
export interface InterpretDeps {
  settings: Pick<ChatSettings, 'routeTimeoutMs' | 'rewriteTimeoutMs'>;
  clients: { llm: Pick<Client<typeof LLMGatewayService>, 'generate'> };
  route: Router;
  metrics: Pick<ChatMetrics, 'understandingTotal'>;
}

/** A message with what came before it. */
export interface Said {
  readonly question: string;
  /** Oldest first. */
  readonly turns: readonly PastTurn[];
  readonly models: readonly Model[] | undefined;
  readonly answerId: string;
}

/** From here on, the built-in router is as right as a model, and needs none. */
const sureProbability = 0.95;
const routeTokens = 16;
const rewriteTokens = 256;

/**
 * Says what a message is, and makes it standalone: by the built-in router and rules, or by models if routes are configured for these tasks.
 * A model that is late, fails, or says what it must not, changes nothing: the rules decide then.
 */
export async function interpret(
  deps: InterpretDeps,
  { question, turns, models, answerId }: Said,
  context: CallContext,
): Promise<{ routed: Routed; standalone: StandaloneQuestion }> {
  const { settings } = deps;
  const routed = deps.route(question);
  const subjects = subjectTurns(turns, deps.route);
  const standalone = toStandalone(question, subjects);
  const isModelAsked = (task: Task, isOpen: boolean) => isOpen && hasTask(models, task);
  const ask = async <T>(name: string, task: Omit<ShortTask, 'requestId'>, read: (written: string) => T | undefined) => {
    const written = await completeShort(
      deps.clients.llm,
      { ...task, requestId: `${answerId}/${name}` },
      {
        signal: context.signal,
        options: (signal) => context.forward({ timeoutMs: task.timeoutMs, signal }),
      },
    );
    const result = written === undefined ? undefined : read(written);
    const by = result !== undefined ? 'model' : written === undefined ? 'rules_late' : 'rules_refused';
    deps.metrics.understandingTotal.inc({ task: name, by });
    return result;
  };
  const [routedByModel, rewritten] = await Promise.all([
    isModelAsked(Task.ROUTE, routed.probability < sureProbability)
      ? ask(
          'route',
          {
            ...{ task: Task.ROUTE, system: routeInstructions, text: routeText(question, turns) },
            ...{ maxTokens: routeTokens, timeoutMs: settings.routeTimeoutMs },
          },
          readRoute,
        )
      : undefined,
    isModelAsked(Task.REWRITE, subjects.length > 0)
      ? ask(
          'rewrite',
          {
            ...{ task: Task.REWRITE, system: rewriteInstructions, text: rewriteText(question, subjects) },
            ...{ maxTokens: rewriteTokens, timeoutMs: settings.rewriteTimeoutMs },
          },
          (written) => readRewrite(written, question, subjects),
        )
      : undefined,
  ]);
  return {
    routed: routedByModel ?? routed,
    standalone: rewritten === undefined ? standalone : { text: rewritten, isRewritten: rewritten !== question },
  };
}
