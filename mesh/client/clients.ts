import type { DescService } from '@bufbuild/protobuf';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { contracts } from './contracts.ts';

/** Typed clients, one for each contract. Rpcs that the edge does not serve answer UNIMPLEMENTED. */
export type RagmeshClients = { readonly [Name in keyof typeof contracts]: Client<(typeof contracts)[Name]> };

/** Creates the clients over a transport. */
export function createClients(transport: Transport): RagmeshClients {
  const entries = Object.entries<DescService>(contracts).map(([name, contract]) => [
    name,
    createClient(contract, transport),
  ]);
  return Object.fromEntries(entries) as RagmeshClients;
}
