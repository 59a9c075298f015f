import type { AnswerFace } from '../http/answer-route.ts';
import { sendOpenAiError, toOpenAiError } from './error.ts';
import { setRateHeaders } from './rate-headers.ts';

/** What OpenAI's routes with whole and streamed replies have in common. */
export function openAiFace(name: string, ask: AnswerFace['ask']): AnswerFace {
  return {
    name,
    ask,
    admitted: (response, { rate }) => setRateHeaders(response, rate),
    sendError: sendOpenAiError,
    errorEvent: (error) => [undefined, JSON.stringify(toOpenAiError(error))],
  };
}
