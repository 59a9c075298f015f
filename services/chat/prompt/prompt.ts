import { createHash } from 'node:crypto';
import { clone, create } from '@bufbuild/protobuf';
import { Language, type Passage, PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type Message, MessageRole, MessageSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { hasShortMask } from '#kit/personal-data/restore.ts';
import { splitSentences } from '#kit/text/sentences.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { localizedText } from '../answer/localized-text.ts';
import type { PastTurn } from '../answer/turn.ts';
import { guardrailsVersion } from '../ask/guardrails/configured.ts';
import type { ChatSettings } from '../config.ts';
import { toolTexts } from '../tools/texts.ts';
import { evidenceTokens, limitOf, type PromptParts, shares } from './budget.ts';
import { compressPassages } from './compress.ts';
import { noSummary, type Summary } from './summary.ts';
import type { CountTokens } from './token-counters.ts';

/** Evidence that fits a prompt. */
export interface ChosenEvidence {
  /** Best first; marker [n] names the n-th, from 1. */
  passages: Passage[];
  tokens: number;
  /** How many of them are shortened. */
  shortenedCount: number;
}

/** A prompt with its evidence. */
export interface Prompt extends ChosenEvidence {
  /** The conversation for a model that writes. */
  messages: Message[];
  /** The conversation for a model that only quotes: it reads the last message alone, which has the standalone question. */
  plainMessages: Message[];
  /** Tokens of each part, as counted. */
  parts: PromptParts & { evidence: number };
  budgetTokens: number;
}

/** Tokens of a passage besides its text: number, brackets, line ends. */
const passageOverheadTokens = 12;
/** Passages that a prompt may hold; the contract's limit. */
const maxPassages = 100;

/**
 * Returns the prompt for a question: the passages that fit beside the history, and the conversation for either kind of model. `count`
 * counts tokens as the model does, as far as it is known how.
 */
export function buildPrompt(
  found: readonly Passage[],
  question: string,
  asked: {
    standalone: string;
    language: Language;
    history: readonly PastTurn[];
    summary?: Summary;
    toolTokens?: number;
  },
  settings: Pick<ChatSettings, 'systemText' | 'promptBudgetTokens'>,
  count: CountTokens = estimateTokens,
): Prompt {
  const { standalone, language, history, summary = noSummary, toolTokens = 0 } = asked;
  const texts = localizedText(language);
  const hasMask = [question, standalone, ...found.map(({ text }) => text)].some((text) => hasShortMask(text));
  const rules = [toolTokens > 0 ? toolTexts(language).rule : '', hasMask ? texts.maskRule : ''];
  const system = [settings.systemText || texts.system, ...rules].filter((part) => part !== '').join('\n');
  const { promptBudgetTokens: budgetTokens } = settings;
  const others = {
    system: count(system),
    history: historyTokens(history, noSummary, count),
    summary: historyTokens([], summary, count),
    tools: toolTokens,
  };
  const evidence = fitEvidence(found, standalone, evidenceTokens(budgetTokens, others), count);
  return {
    ...evidence,
    parts: { ...others, evidence: evidence.tokens },
    budgetTokens,
    // After its history, the question is asked as it was; without history, the standalone question is asked.
    messages: toMessages(system, { history, summary }, history.length > 0 ? question : standalone),
    plainMessages: toMessages(system, { history: [], summary: noSummary }, standalone),
  };
}

/**
 * Returns the latest turns that fit into a quarter of the budget, oldest first, and how many of the given turns they are, with those
 * that have nothing for a later question. Markers of their answers are left out: they name sources that this prompt does not have.
 */
export function chooseHistory(
  turns: readonly PastTurn[],
  { historyTurns, promptBudgetTokens }: Pick<ChatSettings, 'historyTurns' | 'promptBudgetTokens'>,
): { turns: PastTurn[]; spanCount: number } {
  let spanCount = 0;
  let leftTokens = limitOf('history', promptBudgetTokens);
  const chosen: PastTurn[] = [];
  for (const turn of turns.toReversed()) {
    if (chosen.length >= historyTurns) break;
    // Stopped before its first word: it has nothing for a later question.
    if (turn.answer === '') {
      spanCount++;
      continue;
    }
    const answer = turn.answer.replaceAll(/ ?\[\d{1,3}\]/g, '');
    leftTokens -= estimateTokens(turn.question) + estimateTokens(answer);
    if (leftTokens < 0) break;
    chosen.push({ question: turn.question, answer });
    spanCount++;
  }
  return { turns: chosen.reverse(), spanCount };
}

/**
 * Returns the passages that fit into `budgetTokens`. If not all do, they are shortened by sentence against the question before any is left
 * out.
 */
export function fitEvidence(
  passages: readonly Passage[],
  question: string,
  budgetTokens: number,
  count: CountTokens = estimateTokens,
): ChosenEvidence {
  const whole = chooseEvidence(passages, budgetTokens, count);
  if (whole.passages.length === Math.min(passages.length, maxPassages) && whole.shortenedCount === 0) return whole;
  const headTokens = (passage: Passage) => passageTokens({ ...passage, text: '' }, count);
  const shortened = compressPassages(passages.slice(0, maxPassages), question, budgetTokens, headTokens, count);
  if (shortened.length <= whole.passages.length) return whole;
  const tokens = shortened.reduce((sum, passage) => sum + passageTokens(passage, count), 0);
  return { passages: shortened, tokens, shortenedCount: shortened.filter((each) => !passages.includes(each)).length };
}

/**
 * Returns the best passages that fit into `budgetTokens`, in their order; a passage that does not fit is skipped for a smaller one after
 * it. The best passage of all is always there: if it alone is too long, it is cut after a sentence.
 */
export function chooseEvidence(
  passages: readonly Passage[],
  budgetTokens: number,
  count: CountTokens = estimateTokens,
): ChosenEvidence {
  const chosen: Passage[] = [];
  let tokens = 0;
  let shortenedCount = 0;
  for (const passage of passages) {
    if (chosen.length >= maxPassages) break;
    const cost = passageTokens(passage, count);
    if (tokens + cost <= budgetTokens) {
      chosen.push(passage);
      tokens += cost;
    } else if (chosen.length === 0) {
      const cut = cutPassage(passage, budgetTokens, count);
      chosen.push(cut);
      tokens = passageTokens(cut, count);
      shortenedCount = 1;
      break;
    }
  }
  return { passages: chosen, tokens, shortenedCount };
}

/** Returns the tokens of the history and the summary before it, which are not available to the evidence. */
export function historyTokens(
  turns: readonly PastTurn[],
  { text }: Summary = noSummary,
  count: CountTokens = estimateTokens,
): number {
  const summarized = text === '' ? 0 : count(text);
  return turns.reduce((sum, { question, answer }) => sum + count(question) + count(answer), summarized);
}

/** Returns the conversation for the model: instructions, the summary of old turns, the latest turns, and the question last. */
export function toMessages(
  systemText: string,
  { history, summary }: { history: readonly PastTurn[]; summary: Summary },
  question: string,
): Message[] {
  const message = (role: MessageRole, text: string) => create(MessageSchema, { role, text });
  return [
    message(MessageRole.SYSTEM, systemText),
    // The user's words, and no instruction of the operator.
    ...(summary.text === ''
      ? []
      : [message(MessageRole.USER, `(Earlier in this conversation, shortened)\n${summary.text}`)]),
    ...history.flatMap((turn) => [
      message(MessageRole.USER, turn.question),
      message(MessageRole.ASSISTANT, turn.answer),
    ]),
    message(MessageRole.USER, question),
  ];
}

/** Returns the tokens that a summary of older turns may have. */
export const summaryTokens = ({ promptBudgetTokens }: Pick<ChatSettings, 'promptBudgetTokens'>): number =>
  limitOf('summary', promptBudgetTokens);

/** Returns the version of the prompt template: everything that shapes a prompt besides its question, history and evidence. */
export function promptVersion(settings: ChatSettings): string {
  const system = settings.systemText || localizedText(Language.ZH).system + localizedText(Language.EN).system;
  const { promptBudgetTokens, historyTurns, sectionTokens } = settings;
  const others = [promptBudgetTokens, historyTurns, shares, guardrailsVersion(settings.guardrails), sectionTokens];
  const parts = JSON.stringify(['4', system, ...others]);
  return createHash('sha256').update(parts).digest('hex').slice(0, 16);
}

/** Returns the version of a history and its summary that go into a prompt; empty without them. */
export function historyVersion(turns: readonly PastTurn[], { text }: Summary = noSummary): string {
  if (turns.length === 0 && text === '') return '';
  const texts = turns.map(({ question, answer }) => [question, answer]);
  return createHash('sha256')
    .update(JSON.stringify(text === '' ? texts : [text, texts]))
    .digest('hex');
}

function passageTokens({ title, headingPath, text }: Passage, count: CountTokens): number {
  const head = count(title) + headingPath.reduce((sum, heading) => sum + count(heading), 0);
  return head + count(text) + passageOverheadTokens;
}

function cutPassage(passage: Passage, budgetTokens: number, count: CountTokens): Passage {
  const { text, startOffset, endOffset } = passage;
  // No token is longer than a few characters, so text far beyond the budget need not be counted.
  const head = text.slice(0, budgetTokens * 8);
  let end = 0;
  let tokens = passageTokens({ ...passage, text: '' }, count);
  for (const sentence of splitSentences(head)) {
    tokens += count(head.slice(end, sentence.end));
    if (tokens > budgetTokens) break;
    end = sentence.end;
  }
  if (end === 0) end = Math.min(head.length, Math.max(1, budgetTokens));
  // Never between the halves of a surrogate pair.
  const code = text.charCodeAt(end - 1);
  if (code >= 0xd800 && code < 0xdc00) end = Math.max(end - 1, 0);
  const cut = clone(PassageSchema, passage);
  cut.text = text.slice(0, end);
  // Offsets locate the passage in its document, so they shrink with it if they located exactly this text.
  if (endOffset - startOffset === text.length) cut.endOffset = startOffset + end;
  return cut;
}
