import { splitSentences } from '#kit/text/sentences.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { PastTurn } from '../answer/turn.ts';

/** Turns that are in a prompt by their summary. */
export interface Summary {
  /** Empty if there are none. */
  readonly text: string;
  /** Turns that it represents. */
  readonly turnCount: number;
}

export const noSummary: Summary = { text: '', turnCount: 0 };

/** Characters of a question and of an answer that a summary quotes. */
const questionLength = 120;
const answerLength = 160;
/** What is left of turns for which there is no room. */
const countLine = /^\((\d+) earlier turns?\)$/;

/**
 * Adds turns, oldest first, to a summary: each with its question and the first sentence of its answer. If that has more than
 * `budgetTokens`, the oldest lines become shorter: without the answer, then a count. No turn is lost without a trace.
 */
export function summarizeByQuotes(before: Summary, turns: readonly PastTurn[], budgetTokens: number): Summary {
  const kept = turns.filter(({ answer }) => answer !== '');
  const turnCount = before.turnCount + kept.length;
  if (turnCount === 0) return noSummary;
  const lines = before.text === '' ? [] : before.text.split('\n');
  let earlierCount = Number(countLine.exec(lines[0] ?? '')?.[1] ?? 0);
  if (earlierCount > 0) lines.shift();
  lines.push(...kept.map(lineOf));
  const text = () => [...(earlierCount > 0 ? [counted(earlierCount)] : []), ...lines].join('\n');
  let shortCount = 0;
  while (lines.length > 0 && estimateTokens(text()) > budgetTokens) {
    if (shortCount < lines.length) {
      lines[shortCount] = (lines[shortCount] ?? '').replace(/ → .*$/u, '');
      shortCount++;
    } else {
      lines.shift();
      earlierCount++;
    }
  }
  return { text: text(), turnCount };
}

/** Returns a summary with a number of turns that no one has read before it. */
export function withUnread(summary: Summary, unreadCount: number): Summary {
  if (unreadCount <= 0) return summary;
  const lines = summary.text === '' ? [] : summary.text.split('\n');
  const known = Number(countLine.exec(lines[0] ?? '')?.[1] ?? 0);
  if (known > 0) lines.shift();
  const text = [counted(known + unreadCount), ...lines].join('\n');
  return { text, turnCount: summary.turnCount + unreadCount };
}

const counted = (count: number): string => `(${count} earlier ${count === 1 ? 'turn' : 'turns'})`;

function lineOf({ question, answer }: PastTurn): string {
  const plain = answer.replaceAll(/ ?\[\d{1,3}\]/g, '');
  const first = splitSentences(plain)[0];
  return `${cut(question, questionLength)} → ${cut(plain.slice(0, first?.end), answerLength)}`;
}

function cut(text: string, length: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  const characters = [...line];
  return characters.length <= length ? line : `${characters.slice(0, length).join('')}…`;
}
