import { jobQueueSuite } from '../../suites/job-queue.suite.ts';

jobQueueSuite('database', async () => ({ adapter: 'database', settings: {}, [Symbol.asyncDispose]: async () => {} }));
