/**
 * The value that a question asks for, more exactly than its kind: "how deep" wants a length, "how many arches" a number of arches. An
 * answer of another shape is about another matter, however similar its words.
 */
export interface Shape {
  /** Matches a text, in normal form, that has such a value. */
  shown: RegExp;
  /** Matches such a value in a text as it is written: names of people. */
  written?: RegExp;
}

const month = 'january|february|march|april|may|june|july|august|september|october|november|december';
const surnames =
  '王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤慧';

/** Each shape with the questions that ask for it, in normal form; the first one that matches counts. */
const shapes: readonly (readonly [asked: RegExp, shape: Shape])[] = [
  [
    /\bwho(?:'s| is| was| are| were| has| had)? (?:the |your |our )?(?!pays?\b|covers?\b|bears?\b|can\b|may\b|must\b|needs?\b|gets?\b|do\b|does\b|should\b|will\b)[a-z]|\bwhose\b|是谁|谁(?:是|创|建|开|写|画|教|主持|设计|发|提出|当)|叫什么名|姓什么|叫什么$|哪位/u,
    {
      shown: /(?!)/,
      written: new RegExp(
        `\\p{Lu}[\\p{Ll}'-]+ (?:\\p{Lu}\\. )?\\p{Lu}\\p{Ll}+|\\b(?:Mr|Mrs|Ms|Dr)\\b|[${surnames}]\\p{sc=Han}{0,2}(?:先生|女士|老师|教授|医生|博士)|^[${surnames}]\\p{sc=Han}{1,2}$|(?:由|是|员|家|长|师|民|尼姑|知州|统帅|守将|匠|诗人|商)[${surnames}]\\p{sc=Han}{1,2}`,
        'mu',
      ),
    },
  ],
  [
    /\bwhat colou?rs?\b|什么颜色|哪些颜色|哪几种颜色/,
    {
      shown:
        /颜色|colou?r|white|black|red|blue|green|grey|gray|pink|brown|yellow|orange|purple|cream|silver|gold|beige|[白黑红蓝绿灰粉棕黄橙紫米银]色|雪白|海蓝|墨绿/,
    },
  ],
  [
    // A day of the month is no duration.
    /\bhow long (?:does|do|did|will|would|until|till|before|for)\b|\bhow (?:soon|quickly|fast) (?:does|do|will|can|is)\b|多久(?!一次|前|以?后|之后)|多长时间|几天|多少天/,
    {
      shown:
        /[\d半两一二三四五六七八九十] ?(?:[-–~至到] ?\d+ ?)?(?:个|多|来)?(?:(?:工作|自然)?天|(?:工作|自然)日|日(?=[内后])|周|星期|个?月(?! ?\d|底|初|末)|年|小时|分钟|秒)|(?:\d|\b(?:a|an|one|two|three|four|five|six|seven|eight|nine|ten|twelve|few)) ?(?:[a-z]+[ -])?(?:days?|weeks?|months?|years?|hours?|minutes?|seconds?|h|min|mins)\b|立即|即时|立刻|实时|马上|当[天日场]|次日|隔天|长期|永久|终身|一直|\bimmediate|\bat once|same day|next day|\bnever\b|\binstant|\bovernight|until|till|before|之前|以前|为止/,
    },
  ],
  [
    // An area is no height.
    /\bhow (?:tall|high|deep|wide|thick)\b(?! an? )|多(?:高|深|宽|厚)/,
    {
      shown:
        /\d ?(?:mm|cm|dm|m|km|micrometres?|metres?|meters?|kilometres?|inch(?:es)?|feet|ft|miles?|毫米|厘米|米|公里|里|寸)(?![a-z²2])|\d ?[x×] ?\d/,
    },
  ],
  [
    /\bhow (?:far(?! ahead| in advance)|big|large)\b(?! an? )|多(?:远|大(?!年|岁))|海拔|全长|(?<!期限?有?|时间有?)多长(?!时间)/,
    {
      shown:
        /\d ?(?:mm|cm|dm|m|km|micrometres?|metres?|meters?|kilometres?|inch(?:es)?|feet|ft|miles?|毫米|厘米|米|公里|里|寸|公顷|平方|square|hectares?|litres?|l|ml|毫升|升|gb|mb)(?![a-z])|\d ?[x×] ?\d/,
    },
  ],
  [
    /\bhow heavy\b|\bweigh|多重|重量|净重|几斤/,
    { shown: /\d ?(?:kg|g|grams?|kilos?|kilograms?|tonnes?|tons?|lb|公斤|千克|克|斤|吨)(?![a-z])/ },
  ],
  [/\bhow (?:hot|warm|cold)\b|多少度|几度|温度/, { shown: /\d ?(?:°|℃|度|degrees?)/ }],
  [/\bhow fast\b|时速/, { shown: /\d ?(?:km\/h|knots?|mph|kn|m\/s|mbps|gbps|公里每小时)|时速/ }],
  [
    /\bhow old\b|\bminimum age\b|\bage limit\b|几岁|多少岁|多大年纪|年龄/,
    { shown: /\d+(?:st|nd|rd|th)? ?(?:years?|weeks?|months?|birthday|岁|周岁|个月)|\bage|\bunder \d|\bfrom \d/ },
  ],
  [
    // A day of the opening hours is no answer.
    /\bwhen (?:was|were) .*\b(?:built|founded|established|opened|created|born|invented|discovered)\b|(?:创|兴)?建于何时|哪年(?:建|创|成立|开业)/,
    { shown: /(?<!\d)(?:1\d{3}|20\d\d)(?!\d)|世纪|century/ },
  ],
  [
    /\bwhen (?:was|were|did)\b|\bin (?:what|which) year\b|哪年|哪一年|何年|什么年代/,
    { shown: new RegExp(`(?<!\\d)1\\d{3}(?!\\d)|(?<!\\d)20\\d\\d(?!\\d)|\\b(?:${month})\\b|\\d ?月|世纪|century`) },
  ],
  [/\bwhat time\b|几点/, { shown: /\d{1,2}:\d{2}|\d ?(?:点|时|a\.?m|p\.?m|o'clock)|noon|midnight|中午|hours? before/ }],
];

const countEnglish = /\bhow many ((?:[a-z-]+ ){0,3}[a-z-]+)/;
const countChinese = /(?:多少|几)([名位条辆只艘间台家座棵尾万口根艘份笔层部套人])/u;
const people = 'people|persons?|visitors?|passengers?|inhabitants|residents|adults|members|guests';
const numberWord =
  '(?:\\d[\\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred|thousand|million|no|several)';

/** Returns the shape of the value that a question in normal form asks for; `undefined`: any may do. */
export function shapeOf(plain: string): Shape | undefined {
  const [, counted] = countEnglish.exec(plain) ?? [];
  const noun = counted?.split(' ').find((word) => /^[a-z-]{3,}(?<!s)s$|^(?:people|children|staff|fish)$/.test(word));
  if (noun !== undefined) {
    const name = noun === 'people' ? `(?:${people})` : noun.replace(/(?:ies|es|s)$/, '');
    return { shown: new RegExp(`${numberWord}[ -](?:[a-z-]+ ){0,3}${name}`) };
  }
  const [, measure] = countChinese.exec(plain) ?? [];
  if (measure !== undefined) return { shown: new RegExp(`[\\d百千万] ?(?:多|余)?${measure}`) };
  return shapes.find(([asked]) => asked.test(plain))?.[1];
}
