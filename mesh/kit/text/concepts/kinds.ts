import { PLACES } from './places.ts';
import { createWordIndex } from './word-index.ts';

/**
 * Kinds of everyday things, as documents name them in rules and tables, and what belongs to them: a line is the kind (its names between
 * bars), a colon, and its things. A rule about the kind is about the thing, but one thing is not another.
 */
const KINDS = `
灯具|lamp|lighting: 台灯 落地灯 吊灯 壁灯 吸顶灯 床头灯 夜灯 小夜灯 护眼灯 阅读灯 desk_lamp floor_lamp table_lamp bedside_lamp ceiling_lamp reading_lamp night_light pendant
小家电|small appliance: 手冲壶 热水壶 电水壶 水壶 吸尘器 扫地机 加湿器 除湿机 净化器 电饭煲 吹风机 破壁机 榨汁机 咖啡机 电风扇 烤箱 面包机 kettle vacuum vacuum_cleaner humidifier dehumidifier air_purifier toaster blender hair_dryer coffee_machine electric_fan
床品|bedding: 床单 被套 被罩 被子 枕套 枕头 枕芯 四件套 床笠 床垫保护垫 sheet bed_sheet duvet_cover quilt_cover pillowcase pillow duvet quilt
织物|textile: 床品 床单 被套 被罩 被子 枕套 四件套 窗帘 毯子 毛毯 盖毯 电热毯 地毯 桌布 curtain blanket throw bedding sheet duvet_cover quilt_cover pillowcase rug
家具|furniture: 沙发 椅子 桌子 书桌 餐桌 柜子 衣柜 书架 床架 茶几 sofa chair desk table cupboard wardrobe shelf bookcase
电子产品|electronic: 手机 平板 笔记本电脑 电脑 相机 耳机 音箱 投影仪 显示器 phone tablet laptop camera headphones speaker projector monitor
衣物|clothing|clothes: 衬衫 裤子 裙子 外套 毛衣 羽绒服 袜子 shirt trousers dress coat jacket sweater socks
宠物|动物|pet|animal: 狗 猫 小狗 小猫 兔子 鹦鹉 仓鼠 dog cat puppy kitten rabbit parrot hamster
首饰|珠宝|jewellery|jewelry: 戒指 项链 耳环 手镯 手链 wedding_ring engagement_ring necklace earring bracelet
热食|熟食|hot food: 烤串 炸鸡 汉堡 烤肉 火锅 披萨 麻辣烫 pizza burger kebab hot_dog
饮料|drink|beverage: 可乐 奶茶 果汁 矿泉水 咖啡 啤酒 cola juice coffee tea beer
外币|外汇|foreign currency|foreign currencies: 美元 美金 欧元 日元 日币 英镑 港币 韩元 泰铢 卢布 euro dollar pound yen franc
自行车|bicycle|bike: 山地车 公路车 电动自行车 折叠车 mountain_bike road_bike e-bike folding_bike
`;

/** Kinds that a text names itself, and those of the things that it names. */
export interface KindsOfText {
  named: ReadonlySet<number>;
  ofThings: ReadonlySet<number>;
}

const names: (readonly string[])[] = [];
const things = createWordIndex();
const kinds = createWordIndex();
for (const line of [...KINDS.trim().split('\n'), ...PLACES.trim().split('\n')]) {
  const [kind = '', members = ''] = line.split(':');
  const entry = names.length;
  names.push(kind.split('|'));
  for (const name of names[entry] as readonly string[]) kinds.add(name.replaceAll(' ', '_'), entry);
  for (const member of members.trim().split(/\s+/)) things.add(member, entry);
}

/** Returns the kinds in a text in normal form. */
export function kindsOf(plain: string): KindsOfText {
  return {
    named: new Set(kinds.find(plain).map(({ entry }) => entry)),
    ofThings: new Set(things.find(plain).map(({ entry }) => entry)),
  };
}

/** Returns the words of a text that name a thing of some kind. */
export const thingsIn = (plain: string): string[] => things.find(plain).map(({ word }) => word);

/** Returns the names of the kinds of the things in a text, in the language in which it names them: 灯具 for 台灯. */
export function kindNames(plain: string): string[] {
  const { named } = kindsOf(plain);
  return things
    .find(plain)
    .filter(({ entry }) => !named.has(entry))
    .flatMap(({ entry, word }) => {
      const isChinese = /\p{sc=Han}/u.test(word);
      return (names[entry] ?? []).filter((name) => /\p{sc=Han}/u.test(name) === isChinese).slice(0, 1);
    });
}
