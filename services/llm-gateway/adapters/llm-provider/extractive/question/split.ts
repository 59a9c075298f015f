import { splitSentences } from '#kit/text/sentences.ts';
import { COURTESY } from './frames.ts';

/** One of the questions of a message. */
export interface MessagePart {
  /** The clause that asks. */
  focus: string;
  /** What the message says beside it: narration, and the questions before. */
  background: string;
  /** How the part is named if nothing answers it; the clause itself by default. */
  name?: string;
}

/** Most questions of a message that are read apart. */
const maxParts = 4;

const asksEnglish =
  /^(?:and |so |but |also |or )?(?:how|what|what's|when|where|who|whom|whose|why|which|is|are|was|can|could|do|does|did|will|would|may|must|should|am|has|have|any|compare|list|summari[sz]e|explain|give me|tell me|describe)\b|\b(?:how (?:much|many|long|do|can|to|soon|often)|what (?:is|are|do|does|happens|now)|can (?:i|we|it|you)|do (?:i|you|we))\b/i;
const asksChinese =
  /[吗么呢嘛]|[？?]|什么|怎么|怎样|如何|为什么|为何|多少|多久|多长|多大|多高|多重|几[天个点年月岁次件张块元期位层号日]|哪|谁|啥|咋|是否|能否|可否|(?:能|可以|会|要|算|是|有|行|退|赔|保|收|用|包|够)(?:不|没)|[不没]$|不能.{0,6}$|(.)[不没]\1|介绍|区别|比较|对比/u;

/** Separates the questions of a message, each with what the message says beside it. Courtesy is left out. */
export function splitMessage(message: string): MessagePart[] {
  const text = message.replace(COURTESY, '\n\n').trim();
  const clauses = clausesOf(text === '' ? message : text);
  const asking = clauses.filter(asks);
  if (asking.length === 0) {
    // Nothing looks like a question: what is said last, after the story, is what is asked for.
    const last = clauses.at(-1) ?? text;
    const isStory = clauses.length > 1 && last.length >= 4;
    return [
      isStory
        ? { focus: last, background: clauses.slice(0, -1).join('\n') }
        : { focus: clauses.join(' ') || message, background: '' },
    ];
  }
  const parts = asking.slice(0, maxParts).map((focus) => {
    const others = clauses.filter(
      (clause) => clause !== focus && (!asks(clause) || clauses.indexOf(clause) < clauses.indexOf(focus)),
    );
    return { focus, background: others.join('\n') };
  });
  return parts.flatMap(splitComparison);
}

const asks = (clause: string): boolean =>
  /[?？]\s*$/.test(clause) || (/\p{sc=Han}/u.test(clause) ? asksChinese.test(clause) : asksEnglish.test(clause.trim()));

/** Sentences; a Chinese sentence also ends at a comma, and an English one before "and how". */
function clausesOf(text: string): string[] {
  return splitSentences(text)
    .flatMap(({ start, end }) => {
      const sentence = text.slice(start, end);
      if (/\p{sc=Han}/u.test(sentence)) return joinShort(sentence.split(/(?<=[，,；;。！!？?])/u));
      return sentence.split(
        /(?<=[?!;])\s+|[,;]? (?:and|but|also) (?=(?:how|what|when|where|who|why|which|is|are|can|do|does|will|how much)\b)|(?<=[a-z]{3}\.) (?=[A-Z])/,
      );
    })
    .map((clause) => clause.trim())
    .filter((clause) => /[\p{L}\p{N}]/u.test(clause));
}

/** Between what someone says and a question: "I am abroad for two months, | can I pause?" 明天出发，|能加急吗 */
const afterStory =
  /(?<=^(?:我|咱|今天|明天|后天|下周|下个?月|周末|马上|急着|赶时间)[^，,]*)[，,](?=[^，,]+$)|(?<=^(?:i|i'm|i've|i'd|i'll|we|we're|we've|my|our) [^,;?]{3,120}), (?=(?:can|could|may|do|does|did|is|are|am|will|would|should|must|how|what|when|where|who|which) )/iu;

/** Returns a question without the story before it in the same sentence; `undefined`: it has none. */
export function withoutStory({ focus, background }: MessagePart): MessagePart | undefined {
  const [story, question] = focus.split(afterStory);
  if (story === undefined || question === undefined) return undefined;
  return { focus: question, background: `${background}\n${story}` };
}

/** Content of a Chinese clause that needs the clause before it to be understood, in characters. */
const maxShort = 3;

/** Joins a Chinese clause without a subject of its own (可以吗, 能补差吗, 还保修不) with the clause before it, which is its condition. */
function joinShort(clauses: readonly string[]): string[] {
  const joined: string[] = [];
  for (const clause of clauses) {
    const before = joined.at(-1);
    const content = clause.replace(
      /[\p{P}\s]|可以|可不可以|能不能|还|要不要|会不会|吗|么|呢|怎么办|咋办|怎么弄|行不行|不行|行|是|有|能|不|的|会|啊|了|你们|我|该/gu,
      '',
    );
    if (before !== undefined && content.length <= maxShort) joined[joined.length - 1] = before + clause;
    else joined.push(clause);
  }
  return joined;
}

const comparesEnglish =
  /\b(?:compare|comparison|difference|differ|versus|vs|which (?:one |is |has |of |weighs|costs|lasts))\b/i;
const comparesChinese = /区别|差别|不同|比较|对比|哪个更?|哪款|哪一个|分别|各是|各要|还是/u;

/** Separates the things that a question compares, each with the rest of the question. */
function splitComparison(part: MessagePart): MessagePart[] {
  const { focus, background } = part;
  const isHan = /\p{sc=Han}/u.test(focus);
  if (!(isHan ? comparesChinese : comparesEnglish).test(focus)) return [part];
  const pair = isHan
    ? /(?:^|[，,：:]|比较一?下?|对比|在)([^，,和与跟还是]{1,12})(?:和|与|跟|还是|、)([^，,和与跟]{1,12}?)(?=分别|各|哪|的|有|之间|相比|比|[，,？?]|$)/u.exec(
        focus,
      )
    : /(?:^|,|\bbetween|\bcompare|\bto|\bis|\bare|\bfor|\bhas|\bof) ((?:the |an? )?[\w-]+(?: [\w-]+){0,5}?) (?:or|and|vs\.?|versus) ((?:the |an? )?[\w-]+(?: [\w-]+){0,6})/i.exec(
        ` ${focus.replace(/^.*\bbetween\b/i, '').trim()}`,
      );
  const [, left, right] = pair ?? [];
  if (left === undefined || right === undefined) return [part];
  return [
    { focus: focus.replace(right, ' '), background, name: left },
    { focus: focus.replace(left, ' '), background, name: right },
  ];
}
