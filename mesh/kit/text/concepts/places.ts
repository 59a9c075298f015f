/**
 * Places and the larger place that documents name instead: a line is the larger place (its names between bars), a colon, and the places in
 * it.
 */
export const PLACES = `
西藏|tibet: 拉萨 日喀则 林芝 昌都 那曲 阿里 山南 lhasa
新疆|xinjiang: 乌鲁木齐 喀什 伊犁 和田 吐鲁番 哈密 库尔勒 克拉玛依 阿克苏 石河子 urumqi kashgar
青海|qinghai: 西宁 格尔木 玉树 海西 xining
内蒙古|inner mongolia: 呼和浩特 包头 鄂尔多斯 赤峰 hohhot
海南|hainan: 海口 三亚 haikou sanya
云南|yunnan: 昆明 大理 丽江 西双版纳 kunming
四川|sichuan: 成都 绵阳 宜宾 乐山 chengdu
广东|guangdong: 广州 深圳 东莞 佛山 珠海 guangzhou shenzhen
浙江|zhejiang: 杭州 宁波 温州 义乌 hangzhou
江苏|jiangsu: 南京 苏州 无锡 常州 nanjing suzhou
黑龙江|heilongjiang: 哈尔滨 齐齐哈尔 大庆 harbin
欧盟|eu: 德国 法国 意大利 西班牙 荷兰 比利时 奥地利 波兰 瑞典 丹麦 芬兰 爱尔兰 葡萄牙 希腊 捷克 匈牙利 germany france italy spain netherlands belgium austria poland sweden denmark finland ireland portugal greece czechia hungary
英国|uk: 伦敦 英格兰 苏格兰 britain england scotland london
美国|united states: 纽约 洛杉矶 旧金山 芝加哥 usa america california new_york los_angeles san_francisco chicago
加拿大|canada: 多伦多 温哥华 蒙特利尔 toronto vancouver montreal
澳大利亚|australia: 悉尼 墨尔本 布里斯班 澳洲 sydney melbourne brisbane perth
`;
