import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';

/** A contract that a service calls, and those of its rpcs that it calls. Clients and access policies have these and no others. */
export interface Need {
  readonly contract: DescService;
  /** Local names of the rpcs: `retrieve`. */
  readonly calls: readonly string[];
}

/** Needs of a service, by the name under which it gets their clients. */
export type Needs = Readonly<Record<string, Need>>;

/** A typed client with the rpcs of a need; of a need that is known only at run time, an object. */
export type ClientOf<N extends Need> = string extends N['calls'][number]
  ? object
  : Pick<Client<N['contract']>, N['calls'][number] & keyof Client<N['contract']>>;

/** Typed clients of a service's needs. */
export type Clients<N extends Needs> = { readonly [K in keyof N]: ClientOf<N[K]> };

/**
 * Functions that return clients of a service's optional needs. Each throws ConfigError if this process cannot reach the service; for a
 * service with `servesPublic`, the calls of such a client end UNAVAILABLE instead.
 */
export type OptionalClients<O extends Needs> = { readonly [K in keyof O]: () => ClientOf<O[K]> };

/** Declares a need: a contract and the rpcs of it that the service calls. */
export function calls<
  Desc extends DescService,
  const Names extends readonly [keyof Client<Desc> & string, ...(keyof Client<Desc> & string)[]],
>(contract: Desc, ...names: Names): { readonly contract: Desc; readonly calls: Names } {
  return { contract, calls: names };
}
