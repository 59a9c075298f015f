/** A pool of replicas that grows and shrinks with its load, as Kubernetes' HorizontalPodAutoscaler does (autoscaling/v2). */
export interface Autoscaler {
  /** Replicas that serve now. */
  readonly ready: number;
  /** Moves on by one second; `utilization`: mean share of a replica's CPU that was used, 0 to 1 and above when work waits. */
  second(utilization: number): void;
}

/** Bounds and pace of a pool. */
export interface ScalingPolicy {
  min: number;
  max: number;
  /** Utilization that it aims at, 0 to 1. */
  target: number;
  /** Time from the decision to a replica that serves, in seconds. */
  startSeconds: number;
}

/** Interval of decisions; the controller's default. */
const syncSeconds = 15;
/** A ratio this close to 1 changes nothing; the controller's default. */
const tolerance = 0.1;
/** The pool shrinks to the largest wish of this time; the manifests' `stabilizationWindowSeconds`. */
const windowSeconds = 300;
/** Largest growth in one decision: double, or this many replicas. */
const growAtLeast = 4;
/** Largest share that leaves in one decision. */
const shrinkShare = 0.1;

/** Creates a pool with `initial` replicas. */
export function createAutoscaler(policy: ScalingPolicy, initial: number): Autoscaler {
  const clamp = (count: number) => Math.min(policy.max, Math.max(policy.min, count));
  let ready = clamp(initial);
  let now = 0;
  let sum = 0;
  const starting: { at: number; count: number }[] = [];
  const wishes: { at: number; count: number }[] = [];

  const decide = (utilization: number) => {
    const ratio = utilization / policy.target;
    const all = ready + starting.reduce((total, { count }) => total + count, 0);
    const wish = clamp(Math.abs(ratio - 1) <= tolerance ? all : Math.ceil(ready * ratio));
    wishes.push({ at: now, count: wish });
    while ((wishes[0]?.at ?? now) < now - windowSeconds) wishes.shift();
    if (wish > all) {
      const count = Math.min(wish, Math.max(all * 2, all + growAtLeast)) - all;
      starting.push({ at: now + policy.startSeconds, count });
      return;
    }
    const lowest = Math.max(...wishes.map(({ count }) => count));
    if (lowest < ready) ready = Math.max(lowest, ready - Math.max(1, Math.floor(ready * shrinkShare)));
  };
  return {
    get ready() {
      return ready;
    },
    second(utilization) {
      now++;
      sum += utilization;
      while (starting.length > 0 && (starting[0]?.at ?? 0) <= now) ready += starting.shift()?.count ?? 0;
      if (now % syncSeconds !== 0) return;
      decide(sum / syncSeconds);
      sum = 0;
    },
  };
}
