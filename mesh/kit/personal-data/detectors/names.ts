import type { Detector, Finding } from './detector.ts';

/** Chinese surnames: those of one character that cover most people, and those of two. */
const surnames =
  '王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万钱覃武戴莫孔汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝';
const surname = `(?:欧阳|司马|上官|诸葛|司徒|东方|皇甫|尉迟|公孙|慕容|令狐|长孙|宇文|夏侯|[${surnames}])`;
const given = '[\\p{sc=Han}]{1,2}';
/** What can follow a name without space or mark. */
const after = '(?=[^\\p{sc=Han}]|$|的|是|在|和|与|于|已|先生|女士|小姐|手机|电话|身份|收|住|，)';

const chineseLabelled = new RegExp(
  `(?:(?:姓名|收件人|收货人|联系人|寄件人|持卡人|开户人|(?<!用)户名|申请人|经办人|投诉人|患者)(?:姓名)?(?:[:\\s]{1,3}|[是为])|我叫|名叫|名字[是叫]|本人(?:姓名)?)(?<name>${surname}${given}?)${after}`,
  'gu',
);
const chineseTitled = new RegExp(
  `(?<![\\p{sc=Han}])(?:请?联?系?给?找?)(?<name>${surname}[\\p{sc=Han}]{1,2}?)(?:先生|女士|小姐|太太|同学)`,
  'gu',
);

const word = "\\p{Lu}[\\p{Ll}'’]{1,20}(?:[-'’]\\p{Lu}\\p{Ll}{1,20})?";
const englishName = `${word}(?: (?:\\p{Lu}\\.|${word}|van|von|de|der|la|bin|al)){0,3}`;
const englishTitled = new RegExp(
  `(?<![\\p{L}.])(?:[Mm]rs?|Ms|[Mm]iss|Mx|[Dd]r|Prof)\\.? (?<name>${englishName})`,
  'gu',
);
const englishLabelled = new RegExp(
  `(?<!\\p{L})(?:[Mm]y name is|[Ff]ull [Nn]ame:|I am called|[Cc]all me|[Cc]ustomer:|[Rr]ecipient:|[Cc]ardholder:?|[Aa]ttn:?|[Ss]igned,?|[Ss]incerely,|[Rr]egards,|[Dd]ear|(?:[Bb]illing|[Ss]hipping|[Mm]ailing|[Dd]elivery) address:|[Mm]aiden name is|[Mm]y (?:son|daughter|kid|child|wife|husband|mother|father|brother|sister|partner|colleague|assistant)|[Aa]ccount holder:?|User:|(?:it's|be|registered|booked) under)\\s{1,3}(?<name>${englishName})`,
  'gu',
);

/** Common given names: a capitalized word after one of them is a surname. */
const givenNames =
  'James Robert John Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony Donald Steven Paul Andrew Joshua Kenneth Kevin Brian George Timothy Ronald Edward Jason Jeffrey Ryan Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Alexander Patrick Frank Raymond Dennis Jerry Peter Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty Margaret Sandra Ashley Kimberly Emily Donna Michelle Carol Amanda Dorothy Melissa Deborah Stephanie Rebecca Sharon Laura Cynthia Kathleen Amy Angela Shirley Anna Brenda Pamela Emma Nicole Helen Samantha Katherine Christine Debra Rachel Carolyn Janet Catherine Maria Heather Diane Ruth Julie Olivia Joyce Victoria Kelly Lauren Christina Joan Evelyn Judith Megan Andrea Cheryl Hannah Jacqueline Martha Gloria Teresa Ann Sara Frances Kathryn Janice Alice Julia Marie Henry Walter Arthur Albert Louis Carlos Juan Jose Luis Antonio Pedro Ana Hans Karl Ahmed Mohammed Muhammad Fatima Olga Ivan Sergei';
const englishPair = new RegExp(
  `(?<![\\p{L}.])(?<name>(?:${givenNames.replaceAll(' ', '|')})(?: \\p{Lu}\\.)? ${word})(?!\\p{L})`,
  'gu',
);

/** A middle initial is one of a person; not after a word that counts parts. */
const englishInitial = new RegExp(`(?<![\\p{L}.])(?<name>${word} \\p{Lu}\\. ${word})(?!\\p{L})`, 'gu');
/** What a sentence says of a person after the name. */
const englishPerson = new RegExp(
  `(?<![\\p{L}.])(?<name>${word} ${word})(?= (?:lives|lived|was born|has moved) (?:at|in|on|from|to)(?!\\p{L}))`,
  'gu',
);

/** Organizations, words of a form, and the names that mean anyone. */
const noPerson =
  /(?:^| )(?:Co|Ltd|Inc|Corp|LLC|GmbH|Group|Bank|Cloud|Computing|Company|Corporation|Service|Team|Support|Customer|Sir|Madam|All|The|Enter|Optional|Telecom|Time)$|^(?:John|Jane) (?:Doe|Smith)$|^(?:Account|Annex|Appendix|Application|Bucket|Case|Client|Cluster|Company|Department|Domain|Enterprise|Group|Host|Instance|Network|Node|Process|Product|Project|Region|Server|Service|Site|Span|System|Task|Team|Tenant|User|Vendor|Appendix|Case|Chapter|Class|Column|Example|Figure|Item|Layer|Level|Method|Option|Part|Phase|Plan|Question|Row|Scenario|Section|Stage|Step|Table|Type|Version|Zone)(?: |$)|\p{Lu}\. (?:A|All|And|As|At|Both|But|By|Each|For|From|He|If|In|It|No|Note|On|Or|See|She|So|The|Then|There|These|They|This|To|We|When|With|You|Your)$|Cloud|Computing/u;

/** The patterns, with what a text must have for one that is slow. */
const patterns: readonly (readonly [pattern: RegExp, hint?: RegExp])[] = [
  [chineseLabelled],
  [chineseTitled, /先生|女士|小姐|太太|同学/],
  [englishTitled],
  [englishLabelled],
  [englishPair],
  [englishInitial, /\p{Lu}\. \p{Lu}/u],
  [englishPerson, / (?:lives|lived|was born|has moved) /],
];

/** Finds names of persons: Chinese ones by surname beside a word that names one, English ones by title, label or a common given name. */
export const findNames: Detector = (text) => {
  const found: Finding[] = [];
  for (const [pattern, hint] of patterns) {
    if (hint !== undefined && !hint.test(text)) continue;
    for (const match of text.matchAll(pattern)) {
      const name = match.groups?.name ?? '';
      if (noPerson.test(name)) continue;
      const start = match.index + match[0].indexOf(name);
      found.push({ kind: 'PERSON', start, end: start + name.length });
    }
  }
  return found;
};
