import { benchAnswers } from './answers.ts';
import { printTable } from './measure.ts';
printTable(await benchAnswers(undefined));
