import { badField } from '../../http/parse-fields.ts';

const maxQuestionLength = 4096;
const maxHistoryTurns = 100;

type Role = 'system' | 'user' | 'assistant';

/** A message of a conversation. */
export interface Said {
  role: Role;
  text: string;
  /** Its index in the body. */
  index: number;
}

/**
 * Returns the question and the turns before it. Messages of one speaker in a row count as one. An assistant that spoke first was not asked
 * anything: a greeting.
 */
export function toQuestion(
  messages: readonly Said[],
  path = 'messages',
): {
  question: string;
  history: { question: string; answer: string }[];
} {
  const last = messages.at(-1);
  if (last === undefined || last.role !== 'user') {
    throw badField(path, 'the last message must be the question of a user');
  }
  const history: { question: string; answer: string }[] = [];
  let asked: string[] = [];
  let answered: string[] = [];
  const closeTurn = () => {
    if (asked.length > 0) history.push({ question: asked.join('\n'), answer: answered.join('\n') });
    asked = [];
    answered = [];
  };
  for (const message of messages) {
    if (message.role === 'assistant') {
      answered.push(message.text);
      continue;
    }
    if (answered.length > 0) closeTurn();
    asked.push(message.text);
    if ([...asked.join('\n')].length > maxQuestionLength) {
      throw badField(`${path}[${message.index}].content`, `is a question of more than ${maxQuestionLength} characters`);
    }
    answered = [];
  }
  const question = asked.join('\n');
  if (question.trim() === '') throw badField(`${path}[${last.index}].content`, 'is empty');
  return { question, history: history.slice(-maxHistoryTurns) };
}
