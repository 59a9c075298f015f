import { versionSuite } from '../suites/versions.suite.ts';
import { startRetrieval } from '../testing/retrieval.ts';

versionSuite(startRetrieval);
