import { useSyncExternalStore } from 'react';

/** Returns the part of the address behind `#`, and follows its changes. */
export function useAddress(): string {
  return useSyncExternalStore(subscribe, () => window.location.hash.slice(1));
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener('hashchange', onChange);
  return () => window.removeEventListener('hashchange', onChange);
}
