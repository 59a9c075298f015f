import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { Parser } from '../../parse/parser.ts';
import { hostileParser } from './hostile.ts';

const { isolation: _, ...orders } = hostileParser;
const parser: Parser = {
  ...orders,
  mediaTypes: ['application/x-hostile-thread'],
  endings: ['.thread'],
};

/** As the hostile parser, in the thread that prepares uploads. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
