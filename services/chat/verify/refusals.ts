import { splitSentences } from '#kit/text/sentences.ts';

/** Longest text that is read as a refusal, in UTF-16 code units: a longer one says something else as well. */
const maxLength = 300;
const maxSentences = 3;

const source =
  '(?:(?:the|these|those|your|any of the|given|provided|available|numbered) )*(?:passages?|documents?|sources?|context|excerpts?|materials?|knowledge base|information provided)';
const english: readonly RegExp[] = [
  new RegExp(
    `^(?:i'?m )?(?:sorry,? )?(?:but |unfortunately,? )*${source} (?:do(?:es)? not|don'?t|doesn'?t|did not|didn'?t) (?:\\w+ ){0,2}?(?:mention|contain|say|cover|include|answer|state|specify|address|provide|have|give)`,
    'i',
  ),
  new RegExp(
    `^(?:i'?m )?(?:sorry,? )?(?:but |unfortunately,? )*(?:i (?:could not|couldn'?t|cannot|can'?t|did not|didn'?t) (?:find|answer)|there is (?:no|nothing)|no (?:information|answer)).{0,80}(?:in|from|by|based on) ${source}`,
    'i',
  ),
];
const chinese: readonly RegExp[] = [
  /^(?:抱歉|对不起|很遗憾|不好意思)?[，,\s]*(?:根据|在)?(?:您?所?(?:提供|给出)的|以上|这些|现有|当前|目前的?|已有的?|编号)*(?:资料|文档|材料|内容|知识库|信息|段落)(?:中|里|内)?[，,]?(?:都|均|并)?(?:没有|未|无法|不包含|没)(?:有)?(?:明确|直接|找到|提到|提及|说明|包含|涉及|回答|给出|相关|关于)/,
  /^(?:抱歉|对不起|很遗憾|不好意思)?[，,\s]*(?:我)?(?:无法|没有|未能|没能)(?:在|从|根据).{0,16}(?:资料|文档|材料|知识库)(?:中|里|内)?.{0,6}(?:找到|回答|得知|确定)/,
];
/** What may follow a refusal: an offer of help. */
const offer =
  /^(?:please |you (?:can|may|could) |try |contact |sorry|if you |for (?:more|further) |请|您可以|可以|建议|如需|如有|抱歉|对不起)/i;

/** Returns whether a model's text only says that its passages do not answer the question. */
export function saysNothingFound(text: string): boolean {
  if (text.length > maxLength) return false;
  const sentences = splitSentences(text).map(({ start, end }) => text.slice(start, end));
  if (sentences.length === 0 || sentences.length > maxSentences) return false;
  const isRefusal = (sentence: string) => [...english, ...chinese].some((pattern) => pattern.test(sentence));
  return sentences.some(isRefusal) && sentences.every((sentence) => isRefusal(sentence) || offer.test(sentence));
}
