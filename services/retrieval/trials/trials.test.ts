import { trialSuite } from '../suites/trials.suite.ts';
import { startRetrieval } from '../testing/retrieval.ts';

trialSuite(startRetrieval);
