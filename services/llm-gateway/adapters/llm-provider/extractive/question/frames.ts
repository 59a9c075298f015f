const words = (list: string): ReadonlySet<string> => new Set(list.trim().split(/\s+/));

/** English words that form a question or a story, without a topic, as stems. An answer need not have them. */
export const ENGLISH_FRAME = new Set([
  'tell',
  'dear',
  ...words(`
  mani much long often soon pleas want need know get got go goe let say sai said ask question happen mean work wonder hello hei hi
  possibl allow abl mai might must shall would like help possibli name call anyth someth item differ kind type us thank cheer regard advanc
  on two wai thing make made take give given now ever never still yet alreadi even realli actual just quick quickli onli exactli around
  come came try tri think thought hope look forward sure sorri kindli bunch lot love good great nice fine well bit littl veri much too
  havent hasnt wasnt werent shouldnt couldnt wouldnt till
  last week yesterdai todai tomorrow recent month guy folk team sir madam somebodi someon anyon everyon peopl friend wife husband
  son daughter mom dad mother father grandma grandpa famili mine bought bui buy purchas own use want wish plan decid hear heard
  saw see seen notic found find found appear seem kept keep put set turn start stop first new old big small whole per anywai
  ok okai later soon again back about dont didnt doesnt wont cant isnt im ive id youd ill what whats wheres hows that thats there`),
]);

/** English frame words that are a topic in some questions ("new", "old", "set"): they count less instead of nothing. */
export const ENGLISH_WEAK = words(
  `first new old big small set start stop found find keep kept bui buy use love peopl famili friend long soon support offer provid`,
);

/** Chinese words that form a question or a story, without a topic. */
export const CHINESE_FRAME = words(`
  什么 什么东西 哪些东西 怎么 怎样 如何 为什么 为何 哪 哪些 哪个 哪里 哪儿 哪家 哪一 哪天 哪款 是否 可以 可 能 能否 能不能 可不可以 有没有 有 没有 多少 多久 多 几 几天
  几个 几点 几年 几块 请问 请 一下 这个 那个 这 那 我们 你们 他们 我 你 您 他 她 咱 吗 呢 吧 啊 么 呀 嘛 啦 哈 的 了 是 在 和 与 或 要 想 会 需要 应该 应 该 得
  怎么办 怎么样 做 办 个 里 上 下 中 后 前 时 时候 就 都 也 还 又 再 才 被 把 给 对 从 到 为 以 而 但 但是 不 不能 不可以 让 用 使用 进行 关于 之 其 所 如果
  算 叫 说 问 知道 帮 帮忙 谁 哦 一 一个 来 去 过 着 等 及 将 于 由 向 比 每 内 之内 以内 之前 以前 之后 以后 之外 以外 期间 别 别的 其他
  不要 的是 做的 的话 意思 处理 一共 总共 现在 目前 已经 一直 还是 或者 以及 并且 而且 年 月 日 天 多长 什么样 何 款 家 位 项 份 次 张 件
  你好 您好 谢谢 感谢 麻烦 多谢 辛苦 请教 想问 问下 一下下 我想 我要 想要 咨询 了解 老婆 老公 媳妇 妈妈 爸爸 我妈 我爸 朋友 孩子他妈 昨天 今天 明天 前天 刚 刚刚 刚才 最近 上周 上个 上个月
  今年 去年 后来 然后 结果 不过 因为 所以 觉得 感觉 不太 不想 不喜欢 喜欢 好像 可能 应该 特别 非常 真的 其实 反正 就是 挺 太 很 真 好 大家 亲 啥 咋 咋办 咋弄 怎么弄 怎么回事 么样
  打算 准备 发现 看到 听说 告诉 带 拿 放 弄 搞 收到 买 买的 买了 用了 具体 到底 究竟 大概 一般 通常 左右 分别 各 各是 情况 东西 事 事情 问题 自己 哪位 人 只 能够 起来 出来
  干什么 干嘛 几次 我是 我有 我把 我能 我的 你的 有人 进去 买东西 拿到 再试 过的 人家 家里 你家 你们家 才行 行吗 东西吗 打听 问个 想知道 说说 一点 点儿 一些 有些 怎么办呢 那边 这边 那里 这里 大家好 帮我 给我 好吗
  好几天 好多天 好久 很久 半天 嘞 哎 喂 嗯 诶 不 没 吗 行 行不行 好不好 是不是 会不会 要不要 用不用 呗 哟 噢 呃 方便 顺便 另外 还有 同时 一起`);

/** Words for the kind of answer. The answer shows its kind by itself, so they have a low weight. English as stems. */
export const KIND_WORDS =
  words(`政策 规定 规则 条款 须知 区别 差别 不同 多少钱 什么时候 时间 价格 费用 收费 收钱 要钱 金额 时候 时长 钱 价钱 period cost price fee amount monei dai week month year hour minut time
  step explain overview list option compar differ longer shorter bigger larger smaller cheaper better higher lower heavier faster
  cheapest largest biggest smallest highest lowest longest shortest fastest slowest earliest heaviest lightest summar summari summaris current polici rule term condit timelin vs versu`);

/** Phrases of courtesy, which are cut from a message before it is read. */
export const COURTESY =
  /(?<![a-z])(?:hi|hello|hey|dear)(?: there| guys| all| team| folks| everyone| sir| madam)?[,!.: ]+|(?:just )?(?:a )?quick (?:question|one)[:,.! ]*|(?:many |big )?thanks?(?: you)?(?: so much| a lot| a bunch| a million)?(?: in advance| for your help| again)?[!. ]*$|(?:thx|cheers|ta|tia|pls|plz)(?: a lot)?[!. ]*$|i hope you(?:'re| are) (?:doing )?well[,.! ]*|hope (?:you are|you're|all is) well[,.! ]*|(?:could|can|would) you (?:please |kindly |maybe )?(?:tell|let|explain to|advise|help) (?:me|us)(?: know| understand)?[,:]?|i(?:'d| would) like to (?:know|ask)(?: if| whether)?|i(?:'m| am| was) (?:just )?wondering(?: if| whether)?|do you (?:happen to )?know(?: if| whether)?|my (?:only )?question is[:,]?|one thing[,:]|any idea(?: if| whether)?|(?:你|您)好(?:呀|啊)?[，,！!。 ]*|(?:亲|哈喽|嗨|在吗|打扰了|打扰一下)[，,！!。~ ]+|请问(?:一下)?[，, ]*|请教(?:一下)?[，, ]*|(?:我)?想(?:问|咨询|了解|请教)(?:一下|下)?[，, ]*|麻烦(?:问一下|问下|您|你|啦|了)?[，, ]*|(?:非常|十分)?(?:谢谢|感谢|多谢|辛苦)(?:啦|了|您|你|大家)*[！!。~ ]*$|(?:能不能)?(?:帮我|给我)(?:看一下|看下|查一下|查下|说一下)/gim;

/** One piece, after the question for its price. */
const perPiece = /(?<=多少钱|几块钱|多少元|什么价)1[台件个张条把只盏套份瓶双]/g;
/** Which of several things is meant: their table answers. */
const superlative = /最(?:便宜|贵|大|小|高|低|长|短|快|慢|早|重|轻)的/g;
/** 多少钱包邮 asks about 包邮, not about a wallet. */
const howMuchHan = /多少钱|几块钱/g;
/** 保修期多长 asks about 保修期; a dictionary cuts it into 期多 and 长. */
const howLongHan = /多(?:长(?!时间)|久)/g;
/** 退不退 asks about 退, not about 不退. */
const verbNotVerb = /(\p{sc=Han})[不没]\1/gu;

/** Returns a text in normal form without the Chinese forms of questions that a dictionary would cut into other words. */
export const withoutForms = (plain: string): string =>
  plain
    .replace(perPiece, '')
    .replace(howMuchHan, '$& ')
    .replace(howLongHan, ' ')
    .replace(superlative, ' ')
    .replace(verbNotVerb, '$1');
