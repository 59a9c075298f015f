import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type AnswerDone, AnswerOutcome, type Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage, TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { finishReason, takenBack, verdictOf } from '../openai/answers/completion.ts';
import { citationToJson } from '../sse/answer-json.ts';
import { createBlocks, type SourceCitation } from './blocks.ts';
import { type MessageEvent, messageStart, type StopReason, toMessageUsage } from './message.ts';

/** A question whose answer becomes a message. */
export interface AnswerParts {
  /** The model as the caller named it. */
  model: string;
  warnings: readonly string[];
  events: AsyncIterable<AskResponse>;
}

/**
 * Returns the events of a message that answers from documents: each text with markers is a block with its sources. Throws if the answer
 * fails or is incomplete.
 */
export async function* answerEvents({ model, warnings, events }: AnswerParts): AsyncGenerator<MessageEvent> {
  let blocks = createBlocks({ cites: true });
  let sources = createSources();
  let id = '';
  let opened = false;
  let usage: TokenUsage | undefined;
  let done: AnswerDone | undefined;
  for await (const { event } of events) {
    switch (event.case) {
      case 'started':
        id = `msg_${event.value.answerId}`;
        break;
      case 'sources':
        sources.add(event.value.passages);
        break;
      case 'textDelta':
        if (!opened) yield messageStart({ id, model, usage: { ...toMessageUsage(usage), output_tokens: 0 } });
        opened = true;
        for (const piece of piecesOf(event.value.text)) {
          yield* blocks.text(piece);
          for (const citation of sources.citedBy(piece)) yield* blocks.cite(citation);
        }
        break;
      case 'citation':
        for (const citation of sources.resolve(event.value)) yield* blocks.cite(citation);
        break;
      case 'reset':
        blocks = createBlocks({ cites: true });
        sources = createSources();
        yield { type: 'void', error: takenBack(event.value.reason) };
        break;
      case 'usage':
        usage = event.value;
        break;
      case 'done':
        done = event.value;
        break;
      default:
        break;
    }
  }
  const delta = { stop_reason: stopReasonOf(done), stop_sequence: null };
  if (!opened) yield messageStart({ id, model, usage: { ...toMessageUsage(usage), output_tokens: 0 } });
  yield* blocks.end();
  const citations = sources.resolved().map(citationToJson);
  const extension = { citations, ...verdictOf(done), ...(warnings.length > 0 ? { warnings } : {}) };
  yield { type: 'message_delta', delta, usage: toMessageUsage(usage), ragmesh: extension };
  yield { type: 'message_stop' };
}

function stopReasonOf(done: AnswerDone | undefined): StopReason {
  // Throws if the answer is incomplete.
  const reason = finishReason(done);
  if (done?.outcome === AnswerOutcome.FILTERED) return 'refusal';
  return reason === 'length' ? 'max_tokens' : 'end_turn';
}

const markers = /\[(\d{1,3})\]/g;

/** Returns the text in pieces, each of which ends behind its markers and the punctuation behind them. */
function piecesOf(text: string): string[] {
  return text.match(/[\s\S]*?(?:\[\d{1,3}\])+[.,;:!?)。，；：！？）]*|[\s\S]+$/g) ?? [text];
}

/** The passages of an answer, by the markers that name them. */
function createSources() {
  let passages: readonly Passage[] = [];
  const resolved = new Map<number, Citation>();
  /** Markers of the last text that had no source yet. */
  let open = new Set<number>();
  const citationOf = (marker: number): SourceCitation | undefined => {
    const passage = passages[marker - 1];
    const { url, documentId, title } = passage ?? resolved.get(marker) ?? {};
    if (documentId === undefined) return undefined;
    return {
      type: 'search_result_location',
      source: url || documentId,
      title: title || null,
      cited_text: passage?.text ?? '',
      search_result_index: marker - 1,
      start_block_index: 0,
      end_block_index: 1,
    };
  };
  return {
    add(more: readonly Passage[]) {
      passages = more;
    },
    /** Returns the sources of the markers of a text, each once. */
    citedBy(text: string): SourceCitation[] {
      const named = new Set([...text.matchAll(markers)].map(([, number]) => Number(number)));
      open = new Set([...named].filter((marker) => citationOf(marker) === undefined));
      return [...named].flatMap((marker) => citationOf(marker) ?? []);
    },
    /** Records the source of a marker. Returns it if the last text named it before. */
    resolve(citation: Citation): SourceCitation[] {
      resolved.set(citation.marker, citation);
      if (!open.delete(citation.marker)) return [];
      const late = citationOf(citation.marker);
      return late === undefined ? [] : [late];
    },
    resolved: () => [...resolved.values()],
  };
}
