/** A sign of an order to a model. */
export interface Sign {
  readonly name: string;
  /** How much it says by itself, 0 to 1. */
  readonly weight: number;
}

interface Pattern extends Sign {
  readonly pattern: RegExp;
}

/** Longest text that is read, in characters. */
const maxTextLength = 100_000;

const earlier =
  '(?:previous|prior|earlier|above|preceding|foregoing|former|initial|existing|current|system|your|these|those|any|every|safety|content)';
const orders =
  '(?:instructions?|prompts?|rules?|guidelines?|directives?|commands?|orders?|constraints?|restrictions?|polic(?:y|ies)|programming|training|filters?|guardrails?)';
const orders_zh = '(?:指令|指示|提示词?|提示語|规则|規則|规定|規定|要求|限制|约束|約束|设定|設定|命令|政策|过滤|過濾)';

// Every repeat is bounded, so the time is linear in the text.
const patterns: readonly Pattern[] = [
  {
    name: 'ignore instructions',
    weight: 0.8,
    pattern: new RegExp(
      `\\b(?:ignore|disregard|forget|override|overrule|bypass|discard|dismiss|neglect|drop|violate|break)\\b(?:\\W+(?:about|of|to|follow(?:ing)?|from)){0,2}(?:\\W+(?:the|all|of)){0,3}\\W+(?:${orders}\\b|${earlier}\\W+(?:\\w+\\W+){0,3}?${orders}\\b)`,
    ),
  },
  {
    name: 'ignore what was said',
    weight: 0.75,
    pattern:
      /\b(?:ignore|disregard|forget)\b\W+(?:all|any|everything|anything|whatever)\b(?:\W+\w+){0,5}?\W+(?:above|before|earlier|previously|so far|prior|told|said)\b/,
  },
  {
    name: 'do not follow instructions',
    weight: 0.6,
    pattern: new RegExp(
      `\\b(?:do not|don'?t|stop|no longer|never)\\W+(?:follow(?:ing)?|obey(?:ing)?|apply(?:ing)?|adher(?:e|ing) to)\\W+(?:the\\W+)?(?:${earlier}\\W+){1,3}(?:\\w+\\W+){0,2}?${orders}\\b`,
    ),
  },
  {
    name: 'new instructions',
    weight: 0.6,
    pattern:
      /\b(?:new|updated|real|actual|revised|override)\W+(?:system\W+)?(?:instructions?|prompt|directives?|rules)\W{0,3}(?::|are\b|follow)/,
  },
  {
    name: 'reveal the prompt',
    weight: 0.75,
    pattern:
      /\b(?:reveal|show|print|output|repeat|display|tell|give|leak|expose|dump|recite|share|write out|send|translate|summari[sz]e|encode)\b(?:\W+(?:me|us|the|your|all|any|exact|full|entire|complete|whole|verbatim|of|out|back|in|hidden|secret|original|initial|internal|own|word|for)){0,8}\W+(?:system\W+(?:prompt|message|instructions?)|(?:hidden|secret|initial|original|internal|developer)\W+(?:prompt|instructions?|rules|message)|prompt\W+(?:verbatim|above|template))\b/,
  },
  {
    name: 'reveal the instructions',
    weight: 0.55,
    pattern:
      /\b(?:what|which)\W+(?:is|are|were|was)\W+(?:in\W+)?your\W+(?:(?:system|hidden|secret|initial|original|exact|internal)\W+){1,2}(?:prompt|instructions?|rules|message|guidelines)\b/,
  },
  {
    name: 'repeat the words above',
    weight: 0.65,
    pattern:
      /\brepeat\b(?:\W+\w+){0,3}\W+(?:words|text|everything|all|content|sentences)\W+(?:\w+\W+){0,2}?(?:above|before this)\b/,
  },
  {
    name: 'another role',
    weight: 0.6,
    pattern:
      /\b(?:you are|you're|act as|pretend (?:to be|you are|that you are)|behave (?:as|like)|roleplay as|simulate)\b(?:\W+(?:now|no longer|going to be|to|an?|the)){0,3}\W+(?:\w+\W+){0,3}?(?:dan|jailbroken|unrestricted|unfiltered|uncensored|unlimited|evil|amoral|unaligned|developer mode|root|admin(?:istrator)?|sudo|hacker|without (?:any )?(?:restrictions?|rules|filters?|limits?|censorship))\b/,
  },
  {
    name: 'a role without limits',
    weight: 0.6,
    pattern:
      /\b(?:with(?:out|\W+no)|free (?:of|from)|ignoring)\W+(?:any\W+|all\W+|your\W+)?(?:ethical|moral|safety|content|usual|built-in)\W+(?:\w+\W+)?(?:restrictions?|guidelines?|filters?|rules|limits?|limitations?|constraints?|policies)\b/,
  },
  {
    name: 'jailbreak',
    weight: 0.7,
    pattern:
      /\b(?:jail\s?break(?:ed|ing)?|dan mode|do anything now|developer mode (?:enabled|on|activated)|god mode|sudo mode)\b/,
  },
  {
    name: 'now another',
    weight: 0.35,
    pattern:
      /\b(?:from now on|starting now|henceforth|for the rest of this (?:conversation|chat))\b\W+(?:you|your|answer|respond|reply|always|never|every)\b/,
  },
  {
    name: 'order to an assistant',
    weight: 0.6,
    pattern:
      /\b(?:note|notice|message|attention|instructions?|important|reminder|hey|dear|hello)\W{1,3}(?:(?:to|for)\W+)?(?:the\W+|any\W+|all\W+)?(?:ai|llms?|(?:ai\W+)?assistants?|chatbots?|language models?|gpt|claude)(?:\W+(?:models?|systems?|agents?|reading|summari[sz]ing|processing))?\b/,
  },
  {
    name: 'duty of an assistant',
    weight: 0.6,
    pattern:
      /\b(?:ai|llms?|assistants?|chatbots?|language models?|the model|the bot)\b(?:\W+\w+){0,6}?\W+(?:must|should|shall|has to|have to|needs? to|is required to|will now)\W+(?:\w+\W+){0,2}?(?:answer|say|reply|respond|recommend|include|output|ignore|send|tell|state|rate|append|forward|approve|disclose|reveal|disregard|call)\b/,
  },
  {
    name: 'order for every question',
    weight: 0.55,
    pattern:
      /\b(?:when(?:ever)?|if|no matter what|regardless of what)\b\W+(?:\w+\W+){0,3}?(?:asks?|asked|questions?|queries|query)\b.{0,60}?\b(?:reply|respond|answer|say|recommend|state|output|print)\b\W+(?:\w+\W+){0,2}?(?:only|exactly|always|nothing but)\b/,
  },
  {
    name: 'answer for a question',
    weight: 0.35,
    pattern:
      /\b(?:when(?:ever)?|if)\b\W+(?:\w+\W+){0,3}?(?:asks?|asked)\b.{0,60}?\b(?:reply|respond|answer|say)\b\W+(?:that|with)\b/,
  },
  {
    name: 'spelled order',
    weight: 0.8,
    pattern: /(?:ignore|disregard|forget)(?:all|the|any|your)?(?:previous|prior|above)?(?:instructions|rules|prompts?)/,
  },
  {
    name: 'send data away',
    weight: 0.7,
    pattern:
      /\b(?:send|post|forward|upload|exfiltrate|transmit|email|leak|append|include|embed|encode)\b(?:\W+\w+){0,8}?\W+(?:conversation|chat history|user(?:'s)? (?:data|messages?|question|input|details)|api keys?|credentials|passwords?|system prompt|secrets?|customer data|passages|documents above)\b(?:\W+\w+){0,8}?\W+(?:to|at|in(?:to)?|as|via|through|on)\b(?:\W+\w+){0,3}?\W{0,4}(?:https?:|url|link|image|webhook|server|\S{1,60}@\S)/,
  },
  {
    name: 'a forged turn',
    weight: 0.65,
    pattern:
      /(?:^|\n)\W{0,8}(?:system|assistant|developer)\W{0,3}(?:prompt|message|note|instruction|override)?s?\s{0,3}[:：>\]]\s{0,3}\S/,
  },
  {
    name: 'a control token',
    weight: 0.8,
    pattern:
      /<\|(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id|end_header_id)\|>|\[\/?inst\]|<<\/?sys>>|<\/?(?:system|instructions?|sys_prompt)>|###\s?(?:system|instruction|new instruction)s?\b/,
  },
  {
    name: '忽略指令',
    weight: 0.8,
    pattern: new RegExp(
      `(?:忽略|无视|無視|忽视|忽視|忘记|忘記|忘掉|不要(?:再)?(?:遵守|遵循|理会|理會|管)|别(?:再)?(?:遵守|管)|绕过|繞過|跳过|跳過|抛开|拋開|推翻|违反|違反|撇开)[^。！？\\n]{0,16}(?:之前|以前|以上|上面|先前|前面|原来|原來|原有|所有|全部|一切|系统|系統|你的|任何|安全|内容|這些|这些)[^。！？\\n]{0,10}${orders_zh}`,
    ),
  },
  {
    name: '忘记所说',
    weight: 0.7,
    pattern:
      /(?:忽略|无视|無視|忘记|忘記|忘掉)[^。！？\n]{0,6}(?:之前|以上|上面|前面|先前)[^。！？\n]{0,8}(?:内容|內容|所说|所說|说的|說的|对话|對話|话|話)/,
  },
  {
    name: '泄露提示',
    weight: 0.75,
    pattern:
      /(?:告诉|告訴|显示|顯示|输出|輸出|打印|列印|列出|泄露|洩露|透露|公开|公開|复述|複述|重复|重複|展示|给我看|說出|说出|翻译|翻譯|发给|贴出)[^。！？\n]{0,14}(?:系统|系統|隐藏|隱藏|内部|內部|初始|原始|最初|你的|开发者|開發者)[^。！？\n]{0,6}(?:提示|指令|指示|设定|設定|prompt)/,
  },
  {
    name: '你的提示',
    weight: 0.55,
    pattern:
      /(?:你的|你)(?:系统|系統|隐藏|隱藏|初始|原始|内部|內部)(?:的)?(?:提示|指令|设定|設定|prompt)[^。！？\n]{0,6}(?:是什么|是什麼|是啥|内容|內容|有哪些)/,
  },
  {
    name: '新角色',
    weight: 0.6,
    pattern:
      /(?:你现在是|你現在是|从现在起你|從現在起你|从现在开始|從現在開始|假装|假裝|扮演|装作|模拟|模擬)[^。！？\n]{0,24}(?:没有|沒有|不受|无|無|解除|摆脱|擺脫)[^。！？\n]{0,8}(?:限制|约束|約束|规则|規則|审查|審查|道德|过滤|過濾)/,
  },
  {
    name: '越狱',
    weight: 0.7,
    pattern:
      /越狱模式|越獄模式|开发者模式(?:已)?(?:开启|启用|激活)|開發者模式(?:已)?(?:開啟|啟用)|解除(?:所有|一切|你的)?(?:限制|封印|安全)|进入(?:dan|无限制|管理员|开发者)模式|進入(?:dan|無限制|管理員|開發者)模式/,
  },
  {
    name: '从现在起',
    weight: 0.35,
    pattern:
      /(?:从现在起|從現在起|从现在开始|從現在開始|接下来|今后)[^。！？\n]{0,6}(?:你|所有回答|每次)[^。！？\n]{0,6}(?:必须|必須|只能|都要|要|不再|总是|總是)/,
  },
  {
    name: '对助手的命令',
    weight: 0.6,
    pattern:
      /(?:致|给|給|对|對|请|請)?(?:ai|人工智能|智能助手|语言模型|語言模型|大模型|机器人|機器人|助手|聊天机器人)(?:们|們)?[^。！？\n]{0,4}(?:注意|请注意|請注意|必须|必須|应当|應當|应该|應該|务必|務必|只能|需要)[^。！？\n]{0,16}(?:回答|回复|回覆|说|說|告诉|告訴|推荐|推薦|忽略|输出|輸出|发送|發送|包含)/,
  },
  {
    name: '一律回答',
    weight: 0.5,
    pattern:
      /(?:无论|無論|不管|不论|不論|当|當|如果)[^。！？\n]{0,16}(?:问|問|提问|提問|询问|詢問)[^。！？\n]{0,16}(?:都|一律|必须|必須|只)[^。！？\n]{0,6}(?:回答|回复|回覆|推荐|推薦)/,
  },
  {
    name: '对所有问题',
    weight: 0.35,
    pattern: /(?:对|對)(?:所有|任何|每个|每個)(?:问题|問題|用户|用戶|提问|提問)[^。！？\n]{0,10}(?:回答|回复|回覆)/,
  },
  {
    name: '说出提示',
    weight: 0.7,
    pattern:
      /(?:把|将|將)[^。！？\n]{0,4}(?:你的|系统|系統|内部|內部|初始)[^。！？\n]{0,6}(?:提示|指令|设定|設定)[^。！？\n]{0,10}(?:复述|複述|重复|輸出|输出|告诉|告訴|说|說|发|列|写|寫)/,
  },
  {
    name: '外传数据',
    weight: 0.7,
    pattern:
      /(?:把|将|將)[^。！？\n]{0,16}(?:对话|對話|聊天记录|聊天記錄|用户信息|用戶資料|用户的|密钥|密鑰|密码|密碼|系统提示|系統提示|客户资料)[^。！？\n]{0,12}(?:发送|發送|发|傳|传|上传|上傳|提交|附加|转发|轉發|拼接)[^。！？\n]{0,6}(?:到|给|給|至|在)/,
  },
  {
    name: '伪造的消息',
    weight: 0.65,
    pattern:
      /(?:^|\n)\W{0,8}(?:系统|系統|助手|开发者|開發者|管理员|管理員)(?:提示|消息|訊息|指令|命令|通知)?\s{0,3}[:：][^\n]{0,40}(?:忽略|必须|必須|回答|输出|輸出|你现在|允许|允許)/,
  },
];

/** Words of which every pattern has one: most texts have none, and are not read further. */
const trigger =
  /ignor|disregard|forget|overrid|overrul|bypass|discard|dismiss|neglect|drop|violat|break|follow|obey|apply|adher|instruction|prompt|directive|rules|reveal|repeat|you are|you're|act as|pretend|behave|roleplay|simulat|restrict|filter|guideline|limit|constrain|polic|jail|mode|anything now|from now|starting now|henceforth|for the rest|\b(?:ai|llms?|gpt|claude|dan|model|bot)\b|assistant|chatbot|asks?\b|asked|quer|send|post|forward|upload|exfil|transmit|email|leak|append|includ|embed|encod|system|developer|<\||\[\/?inst|<<|[忽无無忘绕繞跳抛拋推违違撇]|不要|别|告诉|告訴|显示|顯示|输出|輸出|打印|列|泄|洩|透|公|复|複|重|展|看|出|翻|贴|你|从|從|扮|装|模|越|开|開|解除|进入|進入|接下来|今后|助手|人工智能|机器人|機器人|不管|不论|不論|当|當|如果|把|将|將|系统|系統|管理/;

/** Returns the signs that a text has, each once. */
export function signsOf(text: string): Sign[] {
  const folded = fold(text.slice(0, maxTextLength));
  const spaced = withoutSpacing(folded);
  const decoded = decodedParts(text.slice(0, maxTextLength));
  return [
    ...matches(folded),
    ...(spaced === undefined ? [] : matches(spaced)),
    // Who hides an order has a reason to.
    ...(decoded === ''
      ? []
      : matches(fold(decoded)).map(({ name, weight }) => ({
          name: `encoded: ${name}`,
          weight: Math.min(0.95, weight + 0.1),
        }))),
  ];
}

function matches(text: string): Sign[] {
  if (!trigger.test(text)) return [];
  return patterns.filter(({ pattern }) => pattern.test(text)).map(({ name, weight }) => ({ name, weight }));
}

// What looks the same becomes the same: widths, invisible characters, case.
function fold(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/\p{Cf}|\p{Mn}/gu, '')
    .replace(/(?<=\p{Script=Han})[ \t]{1,3}(?=\p{Script=Han})/gu, '')
    .toLowerCase();
}

/** Letters with a space, a point or a dash between them: "i g n o r e". */
const spelled = /(?:\b\w[ .\-_*]){5,}\w\b/g;

function withoutSpacing(text: string): string | undefined {
  let isChanged = false;
  const joined = text.replace(spelled, (letters) => {
    isChanged = true;
    // Words are further apart than letters.
    return letters
      .split(/ {2,}|[ ][.\-_*][ ]/)
      .map((word) => word.replace(/[ .\-_*]/g, ''))
      .join(' ');
  });
  return isChanged ? joined : undefined;
}

/** Most encoded parts of a text that are read. */
const maxDecoded = 8;

function decodedParts(text: string): string {
  const parts = text.match(/[A-Za-z0-9+/]{24,4000}={0,2}/g)?.slice(0, maxDecoded) ?? [];
  return parts
    .map((part) => Buffer.from(part, 'base64').toString('utf8'))
    .filter((decoded) => !/[^\P{Cc}\t\n\r]|\uFFFD/u.test(decoded))
    .join('\n');
}
