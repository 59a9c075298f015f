/** Everyday things, in Chinese and English; written as everyday.ts. Their kinds are in kinds.ts. */
export const THINGS = `
台灯 | desk_lamp table_lamp
落地灯 | floor_lamp
床品 床上用品 | bedding bed_linen bedlinen
床单 | sheet bed_sheet
被套 被罩 | duvet_cover quilt_cover
窗帘 | curtain
热水壶 手冲壶 电水壶 水壶 | kettle
吸尘器 | vacuum vacuum_cleaner
加湿器 | humidifier
投影仪 投影机 | projector
电热毯 | heated_blanket electric_blanket
户外电源 | power_station
`;
