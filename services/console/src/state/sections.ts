import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';

/** A section of the console beside asking. Its name is the first part of its address: `#/documents`. */
export type Section =
  | 'inbox'
  | 'conversations'
  | 'lab'
  | 'documents'
  | 'jobs'
  | 'sources'
  | 'quality'
  | 'evaluation'
  | 'cost'
  | 'administration';

/** The sections in their order, each with the roles that its rpcs ask for: one of them is enough for a part of the section. */
const rolesOf: Record<Section, readonly Role[]> = {
  inbox: [Role.OPERATOR],
  conversations: [Role.OPERATOR],
  lab: [Role.OPERATOR],
  documents: [Role.EDITOR],
  jobs: [Role.EDITOR],
  sources: [Role.OPERATOR],
  quality: [Role.OPERATOR],
  evaluation: [Role.OPERATOR],
  cost: [Role.AUDITOR, Role.OPERATOR],
  administration: [Role.ADMINISTRATOR, Role.PLATFORM_ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR],
};

/** Returns the sections that a caller with these roles may use. The server decides by itself; this only decides what is shown. */
export function sectionsOf(roles: readonly Role[]): Section[] {
  return (Object.keys(rolesOf) as Section[]).filter((section) => rolesOf[section].some((role) => roles.includes(role)));
}

/** A place in the console: a section, and what is open in it. */
export interface Place {
  section: Section;
  /** What follows the name of the section: names and ids. */
  parts: string[];
}

/** Returns the place of an address like `/documents/help/a%2Fb.md`; `undefined` if it is that of a conversation. */
export function placeOf(address: string): Place | undefined {
  const [root, name = '', ...rest] = address.split('/');
  if (root !== '' || !Object.hasOwn(rolesOf, name)) return undefined;
  try {
    return { section: name as Section, parts: rest.filter((part) => part !== '').map(decodeURIComponent) };
  } catch {
    return { section: name as Section, parts: [] }; // not an address that the page wrote
  }
}

/** Returns the link to a place. */
export function linkTo(section: Section, ...parts: string[]): string {
  return `#/${[section, ...parts.map(encodeURIComponent)].join('/')}`;
}
