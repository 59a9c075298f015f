import { describeMounts } from './mounts.suite.ts';

describeMounts('grpc-js as ragmesh runs it');
