import { type AdministrativeChange, ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';

/** Begins the resource of a change of the limits of a user. */
const userPrefix = 'user:';

/** Returns whether the resource of a change names a user. */
export function isOfUser({ action, resource }: AdministrativeChange): boolean {
  return action === ChangeAction.VIEWED_AS || (isOfLimit(action) && resource.startsWith(userPrefix));
}

/** Returns the resource of a change of a user. */
export function resourceOf(action: ChangeAction, user: string): string {
  return isOfLimit(action) ? `${userPrefix}${user}` : user;
}

/** Returns whether a change is of a limit. */
export function isOfLimit(action: ChangeAction): boolean {
  switch (action) {
    case ChangeAction.LIMIT_PUT:
    case ChangeAction.LIMIT_REMOVED:
    case ChangeAction.LIMIT_RAISED:
    case ChangeAction.RAISE_ENDED:
      return true;
    default:
      return false;
  }
}
