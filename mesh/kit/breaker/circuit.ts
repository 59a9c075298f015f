/** Failures, or short waits without a reply, in a row that open the circuit. */
const maxFailures = 5;
/** Time until the first probe, in milliseconds; it doubles with each probe that fails. */
const firstOpenMs = 1000;
const longestOpenMs = 8000;

/** The circuit: closed after so many failures in a row, or open. */
export type Circuit =
  | { kind: 'closed'; failureCount: number }
  | { kind: 'open'; untilMs: number; openMs: number; isProbing: boolean };

/** What a call reports. */
export type Outcome = 'heard' | 'failed' | 'hung' | 'unknown';

/** Returns the circuit after the end of a call, at `nowMs`. */
export function nextCircuit(circuit: Circuit, outcome: Outcome, isProbe: boolean, nowMs: number): Circuit {
  if (outcome === 'heard') return { kind: 'closed', failureCount: 0 };
  if (circuit.kind === 'open') {
    // Calls that began before say nothing new.
    if (!isProbe) return circuit;
    if (outcome === 'unknown') return { ...circuit, untilMs: nowMs, isProbing: false };
    const openMs = Math.min(circuit.openMs * 2, longestOpenMs);
    return { kind: 'open', untilMs: nowMs + openMs, openMs, isProbing: false };
  }
  if (outcome === 'unknown') return circuit;
  const failureCount = circuit.failureCount + 1;
  return outcome === 'hung' || failureCount >= maxFailures
    ? { kind: 'open', untilMs: nowMs + firstOpenMs, openMs: firstOpenMs, isProbing: false }
    : { kind: 'closed', failureCount };
}

/** 0 closed, 1 a probe is in flight, 2 open. */
export type BreakerState = 0 | 1 | 2;

/** Returns the state of a circuit as a number, for metrics. */
export function stateOf(circuit: Circuit): BreakerState {
  if (circuit.kind === 'closed') return 0;
  return circuit.isProbing ? 1 : 2;
}
