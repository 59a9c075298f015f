import { UsageDimension } from '#gen/ragmesh/audit/v1/usage_pb.ts';

/** By what usage is summed. */
export const dimensions = ['model', 'purpose', 'user', 'key', 'costCentre', 'tenant'] as const;
export type Dimension = (typeof dimensions)[number];

/** The dimension of the contract; that of tenants has an rpc of its own. */
export const dimensionValues: Record<Exclude<Dimension, 'tenant'>, UsageDimension> = {
  model: UsageDimension.MODEL,
  purpose: UsageDimension.PURPOSE,
  user: UsageDimension.USER,
  key: UsageDimension.KEY,
  costCentre: UsageDimension.COST_CENTRE,
};
