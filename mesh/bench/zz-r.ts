import { printTable } from './measure.ts';
import { benchRetrieval } from './retrieval.ts';
printTable(await benchRetrieval('/work/shared/data', process.argv[2] !== 'all'));
process.exit(0);
