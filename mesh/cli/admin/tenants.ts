import { TenantSchema, TenantService } from '#gen/ragmesh/accounts/v1/tenant_pb.ts';
import { AuditService, ChangeActionSchema, QueryAuditResponseSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import type { MeshConnection } from '../connect.ts';
import { printMessage, printTable, timeText } from './print.ts';

/** What the actions read of the command line. */
export interface TenantFlags {
  'display-name': string;
  disabled: boolean;
  json: boolean;
}

/** Prints the stored tenants. */
export async function listTenants(mesh: MeshConnection, { json }: TenantFlags): Promise<void> {
  const rows = [['tenant', 'name', 'state', 'changed']];
  for (let pageToken = ''; ; ) {
    const page = await mesh.client(TenantService).listTenants({ pageSize: 200, pageToken });
    for (const tenant of page.tenants) {
      if (json) printMessage(TenantSchema, tenant);
      else rows.push([tenant.tenant, tenant.displayName, stateOf(tenant.isDisabled), timeText(tenant.updatedAt)]);
    }
    pageToken = page.nextPageToken;
    if (pageToken === '') break;
  }
  if (!json) printTable(rows);
}

/** Stores a tenant. */
export async function putTenant(mesh: MeshConnection, flags: TenantFlags, tenant: string): Promise<void> {
  const request = { tenant, displayName: flags['display-name'], isDisabled: flags.disabled };
  const { tenant: stored } = await mesh.client(TenantService).putTenant(request);
  if (flags.json && stored) printMessage(TenantSchema, stored);
  else process.stdout.write(`${tenant} is ${stateOf(flags.disabled)}\n`);
}

/** Prints what administrators have changed in the caller's tenant. */
export async function listChanges(mesh: MeshConnection, { json }: TenantFlags): Promise<void> {
  const rows = [['time', 'by', 'action', 'resource', 'reason']];
  for await (const response of mesh.client(AuditService).queryAudit({ onlyChanges: true, limit: 1000 })) {
    const { entry } = response;
    const change = entry?.record?.change;
    if (json) printMessage(QueryAuditResponseSchema, response);
    else if (entry && change) {
      const action = enumName(ChangeActionSchema, change.action).toLowerCase();
      rows.push([timeText(entry.recordedAt), entry.user, action, change.resource, change.reason]);
    }
  }
  if (!json) printTable(rows);
}

function stateOf(isDisabled: boolean): string {
  return isDisabled ? 'disabled' : 'enabled';
}
