// Customers ask for some things by a whole sentence, in which no word names them: 多久能到, "when will it get here" for the time of delivery.

const howLongHan = '(?:多久|多长时间|几天|多少天|什么时候|啥时候|何时)';
const parcelHan = '(?:东西|包裹|快递|货物?|订单|商品|下单后?|付款后?|买的)';
const parcel = '(?:order|parcel|package|delivery|shipment|stuff|things|goods|item)s?';
const arrives =
  '(?:arrives?|comes?|gets? (?:here|to me)|shows? up|turns? up|(?:is|are|be|gets?) (?:delivered|here)|reach(?:es)? me)';
const who =
  '(?:you|you guys|someone|somebody|(?:customer )?(?:service|support)|your (?:team|support|customer service))';

/** Sentences in normal form, each with what documents call it. A sentence about money or documents that arrive is none of them. */
const phrasings: readonly [pattern: RegExp, formal: string][] = [
  [
    new RegExp(
      `(?<!\\p{sc=Han})${parcelHan}*(?:大概|一般|还)?(?:要|得|需要)?${howLongHan}(?:才|就|可以|能|会)*(?:收到货?|到货|送到|送达|到手|拿到货?|到)(?:呢|啊)?(?!\\p{sc=Han})`,
      'u',
    ),
    '配送时效多久',
  ],
  [
    /(?<!\p{sc=Han})(?:送货|快递|配送|物流|运输|到货)(?:时间)?(?:大概|一般)?(?:要|得|需要|是)?(?:多久|多长时间|几天)(?!\p{sc=Han})/u,
    '配送时效多久',
  ],
  [
    new RegExp(`(?:退的钱|退款)(?:大概|一般)?${howLongHan}(?:才|就|可以|能|会)*到账?(?!\\p{sc=Han})`, 'u'),
    '退款多久到账',
  ],
  [
    /(?<![款钱])(?:多久|几天|多少天|多长时间)(?:之?内)?(?:还)?(?:可以|能|可)?(?:无理由)?退(?:货|掉)?(?![\p{sc=Han}])|退货(?:的)?(?:有)?(?:时限|时间)?(?:是|有)?(?:几天|多久|多长时间)(?![\p{sc=Han}])/u,
    '退货期限几天',
  ],
  [
    /(?:怎么|怎样|如何|咋)(?:样)?(?:才能|能)?(?:联系|联络|找)(?:得?到|上)?(?:你们|您们?|客服|商家)|(?:你们|您们?)的?(?:联系)?(?:电话|联系方式)(?:号码)?是?(?:多少|什么|啥)?(?![\p{sc=Han}])|^联系方式/u,
    '客服电话是多少',
  ],
  [
    /(?:我)?(?:想要?|要)?(\p{sc=Han}{2,4}?)(?:要|该|应该)?(?:怎么|咋)(?:弄|搞|整|办理)(?:啊|呢)?(?!\p{sc=Han})/u,
    '怎么$1',
  ],
  // What is spent.
  [
    /(积分|里程|余额|礼品卡)(?:都|还)?(?:(?:能|可以|能够)(?:用来|拿来)?(?:干什么|干嘛|干啥|做什么|做啥)|怎么用|有(?:什么|啥)用)(?!\p{sc=Han})/u,
    '$1怎么花',
  ],
  [/(?:能|可以|能够)(?:拿来)?(?:干什么|干嘛|干啥|做什么|做啥)用?(?!\p{sc=Han})/u, '有什么用'],
  // Of a card that is lost, documents say how its loss is reported.
  [/(?<=[卡证照折])(?:好像|可能)?(?:被|给|让人)*(?:弄|搞)?(?:丢|掉|偷|盗|不见|找不到|遗失|没)(?:走|失)?了/u, '挂失'],
  [/(?:快递|包裹|货)(?:好像|被|给)*(?:弄)?(?:丢|不见)(?:了|失)?/u, '丢件'],
  [
    new RegExp(
      `(?<![a-z])how (?:long|soon|fast|quick|quickly|many days) (?:(?:does|do|will|would|is|until|till|before|for) )?(?:it (?:take )?(?:for|until|till|before) )?(?:(?:the|my|your|our|an?) )?${parcel} (?:to |will |can |take to |takes to |take until it )?${arrives}`,
    ),
    'what is the delivery transit time',
  ],
  [
    new RegExp(
      `(?<![a-z])when (?:(?:does|do|will|would|is|are|can i expect|should i expect) )?(?:it|(?:(?:the|my|our|an?) )?${parcel})(?: (?:going to|to))?(?: (?:finally|be))? ${arrives}`,
    ),
    'what is the delivery transit time',
  ],
  [
    /(?<![a-z])how (?:long|many days) (?:does|do|will|is) (?:the |your |standard )?(?:delivery|shipping|shipment|transit)(?: time)?(?: usually| normally)?(?: takes?)?(?![a-z])(?! (?:cost|free))|(?<![a-z])how (?:fast|quick|quickly|soon) (?:do|can|will) you (?:ship|deliver)(?! to)|(?<![a-z])(?:delivery|shipping) times?(?![a-z])/,
    'what is the delivery transit time',
  ],
  [
    /(?<![a-z])how many days (?:(?:does it take|is it|for (?:delivery|shipping)) )?to (?=the |[a-z]+[?.]?$)(?!return|send|get)/,
    'what is the delivery transit time to ',
  ],
  [
    new RegExp(
      `(?<![a-z])(?:how (?:do|can|could|would|should) i|how to|is there a way to) (?:get in touch with|contact|reach|get (?:a )?hold of|speak (?:to|with)|call|phone) ${who}(?! (?:by|via|on) )`,
    ),
    'what is the hotline',
  ],
  [
    /^(?:what(?:'s| is) )?(?:your |the )?(?:customer (?:service|support) )?(?:phone|telephone|contact|hotline)(?: number| details| information| info)?(?: (?:of|for) (?:your |the )?(?:customer )?(?:service|support|care))?[?.]?$/,
    'what is the hotline',
  ],
  // Of the whole, not of a part of it that has other hours.
  [
    /^(?:what time|when|until when|till when|until what time|how late) (?:do|does|are|is|will) (?:you|you guys|it|they|(?:the|your) (?:shop|store|place|office|branch|building|desk|house))(?: be)?(?: open| close| closed| shut)+(?: until| till| up)?(?: today| tonight)?[?.]?$/,
    'what are the opening hours',
  ],
  [
    /^(?:你们|您们?|店里?|门店|店铺|今天|晚上|一般|都|是)*(?:几点|什么时候|啥时候)(?:钟|就|才|可以|会)*(?:开门|关门|开始营业|打烊|下班|上班)(?:呢|啊|呀)?[?？]?$|^(?:你们|您们?|店里?|门店|今天)*(?:营业|开|开放)到(?:几点|什么时候)[?？]?$/u,
    '营业时间几点',
  ],
  [
    /(?<![a-z])how (?:long|many days) (?:do|can|may) i (?:have to (?:return|send back)(?: (?:it|them|something|things|an? item|goods))?|return (?:it|something|things|an? item))(?![a-z])/,
    'what is the return window',
  ],
];

/** Returns a question in normal form with what documents call the thing that its sentence asks for. */
export function inFormalPhrases(plain: string): string {
  const found = phrasings.find(([pattern]) => pattern.test(plain));
  return found === undefined ? plain : plain.replace(...found);
}
