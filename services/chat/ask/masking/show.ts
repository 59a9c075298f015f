import { clone } from '@bufbuild/protobuf';
import { type AskResponse, AskResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import { textDelta } from '../../answer/events.ts';
import { respond } from '../../answer/state.ts';
import { createOffsets } from './offsets.ts';
import { rewritten } from './request.ts';

/** Returns the responses as the caller may see them: with the originals of the masks that the caller may read. */
export async function* showTo(
  masks: RequestMasks,
  responses: AsyncIterable<readonly AskResponse[]>,
): AsyncGenerator<readonly AskResponse[]> {
  const show = createShow(masks);
  for await (const ready of responses) {
    const shown = ready.flatMap(show);
    if (shown.length > 0) yield shown;
  }
}

// A response that stays as it is stays the same message: those of a cached answer have their bytes already.
function createShow(masks: RequestMasks): (response: AskResponse) => readonly AskResponse[] {
  let text = masks.restoring();
  let offsets = createOffsets();

  const deltas = (masked: string, shown: string): AskResponse[] => {
    offsets.add(masked, shown);
    return shown === '' ? [] : [toResponse(shown)];
  };
  // What follows the text must not come before the rest of it.
  const flush = (): AskResponse[] => deltas('', text.end());
  const copyOf = (response: AskResponse, edit: (copy: AskResponse) => void): AskResponse => {
    const copy = clone(AskResponseSchema, response);
    edit(copy);
    return copy;
  };

  const showOne = (response: AskResponse): AskResponse => {
    const { event } = response;
    switch (event.case) {
      case 'sources': {
        const { passages } = event.value;
        // Those of a cached answer are seen here for the first time.
        const shown = rewritten(passages, ({ corpus }) => {
          const shorten = masks.shortenIn(corpus);
          return (masked) => masks.restore(shorten(masked));
        });
        if (shown.every((passage, index) => passage === passages[index])) return response;
        return copyOf(response, ({ event: copied }) => {
          if (copied.case === 'sources') copied.value.passages = shown;
        });
      }
      case 'verdicts':
      case 'done':
        return offsets.isMoved() ? copyOf(response, offsets.moveAll) : response;
      default:
        return hasMask(response) ? copyOf(response, (copy) => restoreIn(copy, masks)) : response;
    }
  };

  return (response) => {
    const { event } = response;
    if (event.case === 'textDelta') {
      const masked = event.value.text;
      const shown = text.push(masked);
      offsets.add(masked, shown);
      return shown === masked ? [response] : shown === '' ? [] : [toResponse(shown)];
    }
    if (event.case !== 'reset') return [...flush(), showOne(response)];
    text = masks.restoring();
    offsets = createOffsets();
    return [response];
  };
}

const toResponse = (text: string): AskResponse => {
  const event = textDelta(text);
  if (event.case !== 'textDelta') throw new Error('no text');
  return respond(event);
};

/** Returns the texts of a response that can have masks, beside the answer and its sources. */
function textsOf({ event }: AskResponse): readonly string[] {
  switch (event.case) {
    case 'started':
      return [event.value.standaloneQuestion];
    case 'stage':
      return [event.value.detail];
    case 'toolCall':
      return [event.value.argumentsJson];
    case 'suggestions':
      return event.value.questions;
    case 'handover':
      return [event.value.summary];
    case 'clarification':
      return [event.value.question];
    default:
      return [];
  }
}

const hasMask = (response: AskResponse): boolean => textsOf(response).some((text) => text.includes('['));

function restoreIn({ event }: AskResponse, { restore }: RequestMasks): void {
  switch (event.case) {
    case 'started':
      event.value.standaloneQuestion = restore(event.value.standaloneQuestion);
      break;
    case 'stage':
      event.value.detail = restore(event.value.detail);
      break;
    case 'toolCall':
      event.value.argumentsJson = restore(event.value.argumentsJson);
      break;
    case 'suggestions':
      event.value.questions = event.value.questions.map(restore);
      break;
    case 'handover':
      event.value.summary = restore(event.value.summary);
      break;
    case 'clarification':
      event.value.question = restore(event.value.question);
      break;
    default:
      break;
  }
}
