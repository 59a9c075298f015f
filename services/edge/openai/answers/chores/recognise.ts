import type { Said } from '../question.ts';

// Chat front ends ask the chosen model for titles, tags and next questions of their conversations, in prompts of their own: Open WebUI
// ("### Task:"), LibreChat, Dify, LobeChat, NextChat, Chatbox. Such a prompt is no question for the documents. It is recognised by
// its form, of which a question of a person has nothing: an order for a title together with its length or its bare form, and a conversation.

/** What a front end wants. */
export type ChoreKind = 'title' | 'tags' | 'follow_ups' | 'queries' | 'emoji' | 'other';

/** A prompt of a front end. */
export interface Chore {
  kind: ChoreKind;
  /** Key of the JSON object that it asks for; "": a list in JSON; `undefined`: plain text. */
  key: string | undefined;
  /** Whether that key has a list. */
  isList: boolean;
  /** What the user has said in the conversation, in its order. */
  said: string[];
}

/** Longest prompt that is looked at, in UTF-16 code units: its beginning and its end are. */
const maxLookedAt = 20_000;

/** Returns the chore that the messages are; `undefined`: they are a conversation, and its last message a question. */
export function recogniseChore(messages: readonly Said[]): Chore | undefined {
  const last = messages.at(-1);
  if (last?.role !== 'user') return undefined;
  const before = messages.slice(0, -1);
  const prompt = clip(last.text);
  const instructions = clip(before.flatMap(({ role, text }) => (role === 'system' ? [text] : [])).join('\n'));
  const kind = kindOf(prompt) ?? (wantsTitle(instructions) ? 'title' : undefined);
  if (kind === undefined) return undefined;
  const transcript = transcriptOf(last.text);
  const earlier = before.flatMap(({ role, text }) => (role === 'user' ? [text] : []));
  // The order is in the instructions: the message is the conversation, or a part of it.
  const isMaterial = kindOf(prompt) === undefined;
  const said = transcript.length > 0 ? transcript : earlier.length > 0 ? earlier : isMaterial ? [last.text] : [];
  // A title of nothing is no chore: without any conversation, a person asks how to make one.
  if (said.length === 0 && !isTask(prompt)) return undefined;
  return { kind, ...shapeOf(prompt), said };
}

function clip(text: string): string {
  return text.length <= maxLookedAt ? text : `${text.slice(0, maxLookedAt / 2)}\n${text.slice(-maxLookedAt / 2)}`;
}

/** Open WebUI's templates, and those of others after its form. */
function isTask(prompt: string): boolean {
  return /^\s*#{2,4} ?(?:Task|任务|任務)[:：]?\s*\n/i.test(prompt);
}

function kindOf(prompt: string): ChoreKind | undefined {
  if (isTask(prompt)) return taskKind(prompt);
  if (wantsTitle(prompt)) return 'title';
  if (/predict the three most likely questions that human would ask/i.test(prompt)) return 'follow_ups';
  if (/decompose the user's input into "subject" and "intention"/i.test(prompt)) return 'title';
  if (/reflect the speaker's likely facial expression through a fitting emoji/i.test(prompt)) return 'emoji';
  return undefined;
}

const keysByKind: readonly [ChoreKind, RegExp][] = [
  ['title', /"title"\s*:/],
  ['tags', /"tags"\s*:/],
  ['follow_ups', /"(?:follow_?ups|suggestions|questions)"\s*:/i],
  ['queries', /"queries"\s*:/],
];

function taskKind(prompt: string): ChoreKind | undefined {
  const order = prompt.slice(0, 600);
  for (const [kind, pattern] of keysByKind) if (pattern.test(prompt)) return kind;
  if (/\btitle\b|标题|標題/i.test(order)) return 'title';
  if (/\btags?\b|标签|標籤/i.test(order)) return 'tags';
  if (/follow-?up|追问|后续问题|後續問題/i.test(order)) return 'follow_ups';
  if (/search quer|检索|搜索词/i.test(order)) return 'queries';
  if (/JSON format:|<chat_history>|autocompletion|<\/?context>/i.test(prompt)) return 'other';
  return undefined;
}

/** An order for a title of a conversation. One sign is not enough: people ask about titles as well. */
function wantsTitle(prompt: string): boolean {
  const english =
    /\b(?:generate|provide|create|give|write|summari[sz]e|come up with|return)\b[^.\n]{0,160}\b(?:title|name|topic)\b/i.test(
      prompt,
    ) || /\bconversation (?:a name|summari[sz]er|title)\b/i.test(prompt);
  if (english) {
    return (
      /\b(?:conversation|chat|dialogue|discussion|messages?)\b/i.test(prompt) &&
      /\b(?:\d+|three|four|five|six|ten)[\s-]*(?:to[\s-]+\w+[\s-]*|-\s*\d+[\s-]*)?(?:words?|characters?|chars)\b|\bword-or-less\b|\bno (?:punctuation|quotes|explanation)|\bwithout (?:any )?(?:punctuation|lead-in|quotation)|\bonly (?:return|output|the title)|\boutput only\b/i.test(
        prompt,
      )
    );
  }
  const isOrder = /(?:总结|概括|生成|起|拟|返回|命名|取|總結|產生)[^。\n]{0,60}(?:标题|主题|名称|名字|標題|主題)/.test(
    prompt,
  );
  return (
    isOrder &&
    /(?:\d+|[一二三四五六七八九十]+)(?:到|至|-|~)?[\d一二三四五六七八九十]*\s*个?字|不(?:要|需要|包含|超过)[^。\n]{0,12}(?:标点|解释|引号)|(?:只|仅|直接)(?:返回|输出)/.test(
      prompt,
    ) &&
    /对话|会话|聊天|这句话|對話|會話|内容/.test(prompt)
  );
}

/** The shape in which a prompt wants its result. */
function shapeOf(prompt: string): Pick<Chore, 'key' | 'isList'> {
  if (/"Your Output"\s*:/.test(prompt) || /"subject" and "intention"/i.test(prompt))
    return { key: 'Your Output', isList: false };
  const [, key, open] = /JSON[^{[]{0,60}\{\s*"([A-Za-z_]{1,40})"\s*:\s*(\[)?/.exec(prompt) ?? [];
  if (key !== undefined) return { key, isList: open !== undefined };
  if (/array in JSON|JSON array/i.test(prompt)) return { key: '', isList: true };
  return { key: undefined, isList: false };
}

/** Names of a user before a line of a transcript. */
const userLine = /^\s*(?:\|\|>\s*)?(?:\*\*)?(?:user|human|用户|用戶|我)(?:\*\*)?\s*[:：](?:\*\*)?\s*(.*)$/i;
const otherLine =
  /^\s*(?:\|\|>\s*)?(?:\*\*)?(?:assistant|ai|bot|model|system|response|title|助手|模型|questions)(?:\*\*)?\s*[:：](?:\*\*)?/i;

/** Most lines of a transcript that are read. */
const maxLines = 2_000;

/** Returns what the user says in a transcript inside of a prompt. */
function transcriptOf(prompt: string): string[] {
  const fenced = /<(chat_history|conversation|history|messages)>([\s\S]*?)<\/\1>/i.exec(prompt)?.[2];
  const dify = /\bUser Input:\s*([\s\S]{1,4000})$/i.exec(prompt)?.[1];
  if (dify !== undefined) return [dify.trim()].filter((text) => text !== '');
  const said: string[] = [];
  let isUser = false;
  for (const line of (fenced ?? prompt).split('\n', maxLines)) {
    const [, rest] = userLine.exec(line) ?? [];
    if (rest !== undefined) {
      isUser = true;
      said.push(unquoted(rest));
    } else if (otherLine.test(line) || /^\s*(?:#{2,}|```|<\/)/.test(line)) isUser = false;
    else if (isUser) said.push(`${said.pop() ?? ''}\n${unquoted(line)}`);
  }
  return said.map((text) => text.trim()).filter((text) => text !== '');
}

function unquoted(text: string): string {
  return text.trim().replace(/^"|"$/g, '');
}
