import { create } from '@bufbuild/protobuf';
import { ChatConfigSchema, type Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type ChosenAdapter, chosenAdapter } from '#kit/host/config/settings.ts';
import { type PersonalDataPolicies, readPersonalData } from '#kit/personal-data/policy.ts';
import type { ConfiguredReply } from './acts/replies.ts';
import { type ConfiguredGuardrail, readGuardrails } from './ask/guardrails/configured.ts';
import { type ConfiguredTool, readTools } from './tools/configured.ts';
import { createPolicies, type VerificationPolicy } from './verify/policy.ts';
import type { SupportModel } from './verify/support-by-model.ts';

/** Settings of the chat service. */
export interface ChatSettings {
  /** Text that instructs the model; empty: the default one in the language of the answer. */
  readonly systemText: string;
  /** Tokens of evidence and history in a prompt. */
  readonly promptBudgetTokens: number;
  /** Turns of history in a prompt. */
  readonly historyTurns: number;
  /** Longest completion, in tokens. */
  readonly maxCompletionTokens: number;
  /** Tokens up to which a passage is extended to its section, for a model that writes; 0: not. */
  readonly sectionTokens: number;
  /** Passages to find if the request names no number. */
  readonly topK: number;
  /** The same for a model that only quotes: it reads them in no time, and pays for no token. */
  readonly quotedTopK: number;
  /** Time for retrieval, in milliseconds. */
  readonly retrieveTimeoutMs: number;
  /** Time for the cache to answer hit, follow or lease, in milliseconds. */
  readonly cacheTimeoutMs: number;
  /** Time for the lists that the cache's key needs (corpora, models), in milliseconds. */
  readonly listTimeoutMs: number;
  /** Time for each record of an answer (session, audit, cache), in milliseconds. */
  readonly recordTimeoutMs: number;
  /** Longest answer, in bytes of UTF-8; the generation stops there. */
  readonly maxAnswerBytes: number;
  /** Time that a session is kept after its last question, in milliseconds. */
  readonly sessionMs: number;
  /** Time that feedback is kept, in milliseconds. */
  readonly feedbackMs: number;
  /** Time for a model that says what a message is, in milliseconds. */
  readonly routeTimeoutMs: number;
  /** Time for a model that makes a follow-up standalone, in milliseconds. */
  readonly rewriteTimeoutMs: number;
  /** Replies instead of the built-in ones. */
  readonly replies: readonly ConfiguredReply[];
  /** The desk to which a wish for a person is reported. */
  readonly handoverDesk: ChosenAdapter | undefined;
  /** Operations of other systems that an answer may use. */
  readonly tools: readonly ConfiguredTool[];
  /** Key that signs who calls a tool; empty: the key of the mesh. */
  readonly toolPrivateKey: string;
  /** Returns what becomes of a tenant's sentences that their passages do not support. */
  readonly verification: (tenant: string) => VerificationPolicy;
  /** What is done with personal data in questions and answers. */
  readonly personalData: PersonalDataPolicies;
  /** Rules about questions and evidence. */
  readonly guardrails: readonly ConfiguredGuardrail[];
  /** The model that scores written sentences; `undefined`: none. */
  readonly supportModel: SupportModel | undefined;
}

const dayMs = 86_400_000;

/** Returns the settings from the configuration. */
export function readConfig(config: Config): ChatSettings {
  const chat = config.chat ?? create(ChatConfigSchema);
  return Object.freeze({
    systemText: chat.systemText,
    promptBudgetTokens: chat.promptBudgetTokens,
    historyTurns: chat.historyTurns,
    maxCompletionTokens: chat.maxCompletionTokens,
    sectionTokens: chat.sectionTokens,
    topK: 8,
    quotedTopK: 12,
    retrieveTimeoutMs: chat.retrieveTimeoutMs,
    cacheTimeoutMs: chat.cacheTimeoutMs,
    listTimeoutMs: 500,
    recordTimeoutMs: 3000,
    maxAnswerBytes: 1_000_000,
    sessionMs: chat.sessionDays * dayMs,
    feedbackMs: chat.feedbackDays * dayMs,
    routeTimeoutMs: chat.routeTimeoutMs,
    rewriteTimeoutMs: chat.rewriteTimeoutMs,
    replies: Object.freeze(chat.replies.map(({ tenant, act, language, text }) => ({ tenant, act, language, text }))),
    verification: createPolicies(chat.verification),
    personalData: readPersonalData(config.personalData),
    guardrails: readGuardrails(chat.guardrails),
    supportModel: chat.supportModel && {
      model: chat.supportModel.model,
      timeoutMs: chat.supportModel.timeoutMs,
      minScore: chat.supportModel.minScore,
    },
    handoverDesk:
      chat.handoverDesk && chosenAdapter(ChatConfigSchema.field.handoverDesk, chat.handoverDesk, 'chat.handover_desk'),
    tools: readTools(chat.tools),
    toolPrivateKey: chat.toolPrivateKey,
  });
}
