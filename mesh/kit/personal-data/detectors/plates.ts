import { contextBefore, type Detector, findAll } from './detector.ts';

const plate =
  /[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领][A-HJ-NP-Z]([·. -]?)[A-HJ-NP-Z\d]{4,5}[A-HJ-NP-Z\d挂学警港澳领](?![\dA-Za-z])/g;
const plateContext = /车牌|牌照|车号|牌号|号牌|车辆|plate|licen[cs]e/i;

/** Finds Chinese registration plates (GA 36): with a separator or after a word for one, or with three digits after no other Chinese word. */
export const findPlates: Detector = (text) =>
  findAll(text, 'PLATE', plate, (value, start) => {
    if (plateContext.test(contextBefore(text, start, 16))) return true;
    const digitCount = value.replace(/\D/g, '').length;
    if (/[·.]/.test(value)) return digitCount >= 2;
    return digitCount >= 3 && !/[\p{sc=Han}\dA-Za-z]/u.test(text[start - 1] ?? ' ');
  });
