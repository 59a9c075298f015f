import { type Message, MessageRole } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';

/**
 * Words by which the chat templates of models mark who speaks: ChatML and Llama 3 (`<|im_start|>`, `<|eot_id|>`), DeepSeek (`<｜User｜>`),
 * Llama 2 and Mistral (`[INST]`, `<<SYS>>`, `<s>`), Gemma (`<start_of_turn>`), GLM (`[gMASK]`, `<sop>`), Seed (`<seed:bos>`), MiniMax
 * (`]~b]`), Baichuan (`<reserved_106>`), InternLM (`<eoh>`).
 */
const controlTokens = new RegExp(
  [
    '<(?=[|｜])',
    '(?<=[|｜])>',
    '<(?=/?(?:s|bos|eos|pad|unk|sop|eop|eoh|eoa|start_of_turn|end_of_turn|start_of_image|end_of_image|think|tool_call|tool_response)>)',
    '<(?=/?(?:seed:\\w{1,32}|minimax:tool_call|(?:unused|reserved_)\\d{1,4})>)',
    '<(?=</?SYS>>)',
    '\\[(?=/?(?:INST|gMASK|sMASK|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|SYSTEM_PROMPT|CALL_ID|THINK|IMG_BREAK|IMG_END)\\])',
    '\\](?=~!?b[\\[\\]])',
    '\\[(?=e~\\[)',
  ].join('|'),
  'gi',
);

/**
 * Returns a text with a space in the control tokens of chat templates. A model that runs behind such a template would read them in a
 * document as the end of the document and as the word of the operator.
 */
export function breakControlTokens(text: string): string {
  return text.replace(controlTokens, (mark) => (mark === '>' ? ' >' : `${mark} `));
}

/** Returns messages without control tokens in all that the operator has not written. */
export function withoutControlTokens(messages: readonly Message[]): Message[] {
  return messages.map((message) => {
    if (message.role === MessageRole.SYSTEM) return message;
    const text = breakControlTokens(message.text);
    return text === message.text ? message : { ...message, text };
  });
}
