// Words that show that a question depends on the one before it. Lower case.

const words = (list: string): readonly string[] => list.trim().split(/\s+/);

/** English words that ask about something without naming it. A question of nothing else has no subject of its own. */
export const ENGLISH_ASPECTS: ReadonlySet<string> = new Set(
  words(`long much many often soon far cost costs price fee fees free charge charges time times take takes took apply applies
    work works start step steps detail details example examples explain info information option options condition
    conditions limit limits reason happen happens mean means way ways need needs needed require required requirements
    possible late early total maximum minimum`),
);

/** English words of a question that do not describe its subject. */
export const ENGLISH_FILLERS: ReadonlySet<string> = new Set([
  'tell',
  ...words(`please know want get help like would could shall may might must let let's give show say said ok okay well hi hello
    hey thanks thank thing things one ones else another still really actually maybe perhaps sure yes use used also too
    even yet us what's how's that's it's there's don't can't i'm i've i'll you're`),
]);

/** English verbs of what is done with a thing; before "it" they are no antecedent. */
export const ENGLISH_ACTIONS: ReadonlySet<string> = new Set(
  words(`return exchange cancel refund use buy order ship track change open install set turn connect repair fix pay keep send
    receive claim renew extend upgrade delete find see check activate disable enable configure create add remove apply
    transfer sell swap reset replace clean charge redeem register replacing returning using`),
);

/** Chinese words that ask about something without naming it. */
export const CHINESE_ASPECTS: readonly string[] = words(`
  颜色 现货 尺寸 尺码 重量 库存 功率 材质 多重 多大 多高
  多长时间 什么时候 有效期 多少钱 多久 多少 几天 几个 时间 费用 收费 价格 流程 步骤 材料 条件 要求 方法 方式 办法 原因 期限 限制 免费
  到账 生效 申请 办理 处理 区别 上限`);

/** Chinese words of a question that do not describe its subject, in any position. */
export const CHINESE_FILLERS: readonly string[] = words(`
  为什么 怎么办 怎么样 是不是 有没有 能不能 可不可以 什么 怎么 如何 怎样 哪里 哪儿 哪些 哪个 哪一 可以 能否 是否 可否 需要 请问 麻烦 谢谢
  然后 接下来 之后 还有 其他 其它 别的 更多 详细 具体 说明 说说 解释 例子 举例 一下 一般 通常 大概 大约 左右 确定 真的 这个 那个 这些 那些
  这种 那种 这样 那样 这里 那里 我们 你们 您们 他们 它们 她们 如果 要是 假如 关于 至于 那么 的话 想知道 知道 想问 告诉
  要付 要收 要花
  的 了 吗 呢 吧 啊 呀 嘛 么 我 你 您 他 她 它 谁 啥 咋 那 这 是 在 和 与 或 把 被 也 都 就 还 很 再`);

/** Chinese characters without meaning of their own at the end of a run. */
export const CHINESE_TAILS = '要能会有没去不想给后时才将但于个及等而请让几从对';

/** Chinese characters without meaning of their own at the start of a run, unless they form a word with one of those after them. */
export const CHINESE_HEADS: Readonly<Record<string, string>> = {
  要: '求素',
  能: '耗量力源效',
  行: '李程业政',
  会: '员议计',
  用: '户品途法量',
  有: '效害限偿',
  没: '收',
  到: '账货期达店家手',
  去: '',
  不: '锈良足符同',
  以: '旧太',
  为: '期',
  由: '',
  对: '账比方接',
  好: '评友货',
  做: '工',
  说: '明',
  看: '板护',
  想: '',
  让: '利',
  请: '假',
  得: '物分',
  过: '期户敏保滤程',
  从: '业',
  最: '低高大小新后终',
  几: '何',
  给: '',
  找: '零',
  问: '卷',
  而: '',
  及: '时',
  等: '级待',
  着: '',
  但: '',
  才: '',
  将: '',
  于: '',
  时: '间段区效',
  后: '台盖',
  前: '台',
  个: '人税',
};

/** Chinese verbs of what is done with a thing; before "它" they are no antecedent. */
export const CHINESE_ACTIONS: readonly string[] = words(`
  联系 申请 购买 使用 取消 查询 打开 关闭 开启 安装 设置 更换 修改 删除 退 换 买 寄 修 查 开 装 绑定 解绑 找到 收到 保修 支持`);
