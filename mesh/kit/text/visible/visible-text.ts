/** Elements that a browser does not show. Every repeat is bounded, so the time is linear. */
const hidden =
  /<([a-z][a-z0-9]{0,15})\b(?=[^<>]{0,400}(?:display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden|font-size\s{0,3}:\s{0,3}0|opacity\s{0,3}:\s{0,3}0(?![.\d])|\shidden\b|type\s{0,3}=\s{0,3}["']?hidden))[^<>]{0,400}>[\s\S]{0,4000}?(?:<\/\1\s{0,3}>|$)/gi;
const comments = /<!--[\s\S]{0,4000}?-->/g;
const scripts = /<(script|style|template)\b[^<>]{0,400}>[\s\S]{0,20000}?<\/\1\s{0,3}>/gi;
/** Zero-width and directional characters, and characters of the tag block, which show nothing. */
const invisible = /[\u200B-\u200F\u202A-\u202E\u2060-\u2064\uFEFF]|\uDB40[\uDC00-\uDC7F]/g;

/**
 * Text that speaks to an assistant and not to a reader. It is nothing that a document says about its subject, so it is never quoted. A
 * model that writes is instructed not to follow it.
 */
const instruction = [
  /^\W{0,8}(?:system|assistant|developer|ai|llm|chatbot|model|bot)\s{0,3}(?:prompt|message|note|instruction)?s?\s{0,3}[:：>\]]/im,
  /\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules|guidelines|messages)\b/i,
  /\b(?:ignore|disregard|forget)\b.{0,20}\b(?:all|any|everything|previous|prior|earlier|above)\b.{0,30}\b(?:said|above|before|earlier)\b/i,
  /\b(?:note|notice|message|attention|instructions?) (?:to|for) (?:the |any |all )?(?:ai|llm|assistant|chatbot|language model)s?\b/i,
  /\byou are (?:now )?(?:an? |the )?(?:ai|assistant|chatbot|language model|dan)\b/i,
  /\b(?:as an ai|dear (?:ai|assistant|chatbot)|(?:ai|assistants?|chatbots?|language models?) (?:must|should|shall|has to|have to|reading this))\b/i,
  /\b(?:answer|reply|respond)(?: to)? (?:every|all|any|each) (?:question|message|query|user|customer)s?\b/i,
  /\b(?:when(?:ever)?|if) (?:someone|anyone|a user|the user|users|a customer|customers|people|asked)\b.{0,40}\b(?:reply|respond|answer|say|tell them)\b/i,
  /(?:忽略|无视|忘记|忽視|無視)[^。\n]{0,12}(?:指令|提示|规则|規則|要求|内容|說明|说明)/,
  /(?:你是|你现在是|你現在是)(?:一个|一個)?[^。\n]{0,8}(?:助手|助理|机器人|機器人|AI|模型)/i,
  /^\W{0,8}(?:系统|系統|助手|助理|机器人|AI)(?:提示|消息|指令)?\s{0,3}[:：]/im,
  /(?:当|當|如果|无论|無論)[^。\n]{0,16}(?:问|問|提到)[^。\n]{0,20}(?:回答|回复|回覆|都说|都說)/,
  /(?:对|對)所有(?:问题|問題|用户|用戶)[^。\n]{0,10}(?:回答|回复|回覆)/,
] as const;

/** Returns the text that a reader of the document sees, without what is hidden and without paragraphs that instruct an assistant. */
export function visibleText(source: string): string {
  const shown = source.replace(comments, ' ').replace(scripts, ' ').replace(hidden, ' ').replace(invisible, '');
  // Most texts have no such word at all.
  if (!instruction.some((pattern) => pattern.test(shown))) return shown;
  return shown
    .split(/(\n[ \t]*\n|\n(?=[ \t]*(?:[-*+#|>]|\d{1,3}[.)])))/)
    .map((part) => (instruction.some((pattern) => pattern.test(part)) ? '' : part))
    .join('');
}
