/** What a question asks for. */
export type QuestionType = 'how' | 'why' | 'when' | 'how long' | 'where' | 'who' | 'how much' | 'whether' | 'what';

// In order: a form takes its text away from those after it.
const hanForms: readonly (readonly [type: QuestionType, pattern: RegExp])[] = [
  ['how', /怎么办|咋办|怎办|如何是好|(?:怎么|如何)(?:处理|解决)/g],
  [
    'why',
    /为什么|为何|为啥|为嘛|干嘛|什么原因|怎么回事|什么情况|原因|咋回事|怎么(?=[^?？]{0,6}[不没无未失])|怎么会|怎么老|怎么总|怎么还|咋(?=[^?？]{0,4}[不没无未失])/g,
  ],
  ['how long', /多长时间|多久|多少天|多少时间|几天|几个工作日|几小时|几个小时|几个月|几年|多长/g],
  ['when', /什么时候|什么时间|啥时候|啥时间|何时|几点|几时|哪天|哪一天|几号|哪日|几月/g],
  ['where', /哪里|哪儿|在哪|去哪|从哪|什么地方|何处|什么位置|那里/g],
  ['who', /谁|哪位|什么人/g],
  ['how', /怎么样?|怎样|如何|咋样?|什么方法|什么办法|什么方式|怎办|步骤|流程/g],
  ['how much', /多少|几(?=个|次|张|笔|期|块|元|折|倍|岁|人|件|%)|多大|多高|多重|多远/g],
  ['what', /什么|甚么|啥|哪些|哪个|哪种|哪家|哪款/g],
  [
    'whether',
    /吗|嘛(?=$|[?？])|么(?=$|[?？])|是不是|能不能|会不会|有没有|可不可以|要不要|行不行|可以不|是否|能否|可否|(\p{sc=Han})不\1|没有?(?=[?？\s]*$)|不(?=[?？\s]*$)/gu,
  ],
];
const englishForms: readonly (readonly [type: QuestionType, pattern: RegExp])[] = [
  ['why', /(?<![a-z])(?:why|how come|what(?: is|'s)? the reason|reason)(?![a-z])/g],
  [
    'how long',
    /(?<![a-z])(?:how (?:long|soon|many (?:\w+ )?(?:days?|hours?|weeks?|months?|years?|minutes?)))(?![a-z])/g,
  ],
  [
    'how much',
    /(?<![a-z])(?:how (?:much|many|often|far|big|large|high|heavy|old)|what (?:is the )?(?:price|cost|amount)|number of)(?![a-z])/g,
  ],
  ['when', /(?<![a-z])(?:when|what (?:time|day|date)|which day)(?![a-z])/g],
  ['where', /(?<![a-z])(?:where|what place)(?![a-z])/g],
  ['who', /(?<![a-z])(?:who|whom|whose)(?![a-z])/g],
  ['how', /(?<![a-z])(?:how|what (?:is the )?(?:way|steps?|procedure))(?![a-z])/g],
  ['what', /(?<![a-z])(?:what|which)(?![a-z])/g],
  [
    'whether',
    /(?:^|[.,;!?]\s*|(?<![a-z])(?:and|or|so|please|hi|hello) )(?:is|are|was|were|can|could|do|does|did|will|would|should|may|has|have|am|must)(?:n't|nt)?(?= )|(?<![a-z])(?:whether|possible)(?![a-z])/g,
  ],
];

/** Returns what a text asks for, in a fixed order; empty if it only names a subject. */
export function questionTypesOf(text: string, language: 'zh' | 'en'): QuestionType[] {
  const found: QuestionType[] = [];
  let rest = text.replaceAll('’', "'");
  for (const [type, pattern] of language === 'zh' ? hanForms : englishForms) {
    const next = rest.replace(pattern, ' ; ');
    if (next !== rest) found.push(type);
    rest = next;
  }
  // "Can you explain how …" asks for the rest, not whether.
  const types = [...new Set(found)].sort();
  return types.length > 1 ? types.filter((type) => type !== 'whether') : types;
}
