/**
 * Words by which the chat templates of models mark who speaks: ChatML and Llama 3 (`<|im_start|>`, `<|eot_id|>`), DeepSeek (`<｜User｜>`),
 * Llama 2 and Mistral (`[INST]`, `<<SYS>>`, `<s>`), Gemma (`<start_of_turn>`), GLM (`[gMASK]`, `<sop>`).
 */
const controlTokens =
  /<(?=[|｜])|(?<=[|｜])>|<(?=\/?(?:s|bos|eos|pad|unk|sop|eop|start_of_turn|end_of_turn|start_of_image|end_of_image|think|tool_call|tool_response)>)|<(?=<\/?SYS>>)|\[(?=\/?(?:INST|gMASK|sMASK|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\])/gi;

/**
 * Returns a text with a space in the control tokens of chat templates. A model that runs behind such a template would read them in a
 * document as the end of the document and as the word of the operator.
 */
export function breakControlTokens(text: string): string {
  return text.replace(controlTokens, (mark) => (mark === '>' ? ' >' : `${mark} `));
}
