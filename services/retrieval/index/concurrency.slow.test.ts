import { concurrencySuite } from '../suites/concurrency.suite.ts';
import { startRetrieval } from '../testing/retrieval.ts';

concurrencySuite(startRetrieval);
