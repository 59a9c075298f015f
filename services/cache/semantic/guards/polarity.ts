import { findNegatives } from '#kit/text/facts/negation.ts';
import { contentOf } from './content.ts';

// What a question denies, and which side of a pair of opposites it is on.

/** Returns what a question denies: after each negative, up to three characters or one word of content. */
export function negationsOf(text: string): string[] {
  const { plain, han, english } = findNegatives(text);
  const after = (end: number, length: number) => contentOf(plain.slice(end, end + length));
  return [...han.map((end) => after(end, 12).slice(0, 3).join(' ')), ...english.map((end) => after(end, 40)[0] ?? '')];
}

/** Opposites: words of one side, words of the other. Chinese in the form of the text, English as words with their endings. */
const opposites: readonly (readonly [one: RegExp, other: RegExp])[] = [
  ['开通|打开|开启|启用|激活|开户|恢复使用', '关闭|关掉|注销|停用|禁用|取消|销户|停止使用'],
  ['登录|登陆|签到', '退出|登出|签退'],
  ['绑定|关联', '解绑|解除|取消绑定'],
  ['提高|提升|增加|上调|提额|升高|调高|加大|变高|上涨|涨价|变多', '降低|减少|下调|降额|下降|调低|变低|减小|降价|变少'],
  ['转入|存入|充值|存款', '转出|取出|提现|取款'],
  ['收款|收入|收到', '付款|支出|发出'],
  ['买家|买方|购买|买入', '卖家|卖方|出售|卖出'],
  ['之前|以前|前面|提前|事前|售前', '之后|以后|后面|延后|推迟|延期|逾期|事后|售后'],
  ['最早', '最晚|最迟'],
  ['最高|最大|最多|上限', '最低|最小|最少|下限'],
  ['最长|最久', '最短|最快'],
  ['成功|通过', '失败|被拒|未通过'],
  ['允许|批准|同意', '禁止|拒绝|不准'],
  ['加入|参加|添加|新增', '退出|移除|删除'],
  ['安装', '卸载'],
  ['上架', '下架'],
  ['锁定|冻结|上锁', '解锁|解冻'],
  ['订阅', '退订'],
  ['线上|网上|在线', '线下|门店|离线|柜台'],
  ['国内|境内', '国外|海外|境外'],
  ['个人', '企业|公司|对公'],
  ['免费|包邮', '收费|付费|到付'],
  ['全部|全额|一次性', '部分|分期|分批'],
  ['自动', '手动|主动'],
  ['升级', '降级'],
  ['首次|第一次|头一次|新用户', '再次|第二次|重新|老用户'],
  ['进口', '出口|国产'],
  ['男', '女'],
  ['公开', '私密|隐藏'],
  ['寄出|发货|寄回', '收货|签收'],
  [
    'opens?|opened|opening|enabl\\w+|activat\\w+|turn(?:ed|ing)? on|switch(?:ed|ing)? on|start\\w*',
    'clos\\w+|disabl\\w+|deactivat\\w+|turn(?:ed|ing)? off|switch(?:ed|ing)? off|stop\\w*|cancel\\w*|end(?:s|ed|ing)?',
  ],
  ['increas\\w+|rais\\w+|higher|more|grow\\w*|up', 'decreas\\w+|reduc\\w+|lower\\w*|less|fewer|shrink\\w*|down'],
  ['before|earlier|early|prior', 'after|later|late|afterwards'],
  ['add\\w*|attach\\w*', 'remov\\w+|delet\\w+|detach\\w*'],
  ['buy\\w*|bought|purchas\\w+|buyers?', 'sell\\w*|sold|sellers?'],
  ['deposit\\w*|top(?:ping)? up', 'withdraw\\w*|withdrew'],
  [
    'accept\\w*|approv\\w+|allow\\w*|permit\\w*',
    'reject\\w*|declin\\w+|den(?:y|ied|ies)|forbid\\w*|block\\w*|refus\\w+',
  ],
  ['log(?:ged|ging)? ?in|sign(?:ed|ing)? ?in|login', 'log(?:ged|ging)? ?out|sign(?:ed|ing)? ?out|logout'],
  ['max|maximum|most|highest|largest|longest|latest', 'min|minimum|least|lowest|smallest|shortest|earliest'],
  ['upgrad\\w+', 'downgrad\\w+'],
  ['send\\w*|sent|outgoing|export\\w*', 'receiv\\w+|incoming|import\\w*'],
  ['install\\w*', 'uninstall\\w*'],
  ['lock\\w*', 'unlock\\w*'],
  ['includ\\w+|with', 'exclud\\w+|without'],
  ['first|new', 'last|old|second'],
  ['online', 'offline|in.?store'],
  ['free', 'paid'],
  ['public', 'private'],
  ['lend\\w*|lent', 'borrow\\w*'],
  ['arriv\\w+', 'depart\\w*|leav\\w+'],
  ['debit', 'credit'],
  ['always', 'never'],
  ['succe\\w+|valid|pass\\w*', 'fail\\w*|invalid'],
  ['subscrib\\w+', 'unsubscrib\\w+'],
  ['connect\\w*', 'disconnect\\w*'],
  ['inside|in', 'outside|out'],
  ['on', 'off'],
].map(([one = '', other = '']) => [toPattern(one), toPattern(other)]);

function toPattern(words: string): RegExp {
  return /[a-z]/.test(words) ? new RegExp(`(?<![a-z])(?:${words})(?![a-z])`) : new RegExp(words);
}

/** For each pair of opposites: whether a text has the one, and the other. Two bits a pair. */
export function sidesOf(text: string): number[] {
  return opposites.map(([one, other]) => {
    const others = text.match(other)?.[0];
    // 取消绑定 holds 绑定, and "unlock" is no "lock": what belongs to the other side is taken away first.
    const rest = others === undefined ? text : text.replace(new RegExp(other.source, 'g'), ' ');
    return (one.test(rest) ? 1 : 0) + (others === undefined ? 0 : 2);
  });
}
