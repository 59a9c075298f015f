import { timestampFromDate } from '@bufbuild/protobuf/wkt';

/** Conditions of a search in the audit, as fields of a form. All must hold; an empty one is none. */
export interface AuditFilter {
  user: string;
  documentId: string;
  answerId: string;
  onlyChanges: boolean;
  /** YYYY-MM-DD, the first day in the user's time zone. */
  from: string;
  /** YYYY-MM-DD, the last day. */
  until: string;
}

/** A filter without conditions. */
export const noFilter: AuditFilter = {
  user: '',
  documentId: '',
  answerId: '',
  onlyChanges: false,
  from: '',
  until: '',
};

/** Returns the fields of a QueryAudit request. A day that is none is no condition. */
export function filterRequest({ from, until, ...rest }: AuditFilter) {
  const first = dayOf(from, 0);
  const end = dayOf(until, 1);
  return {
    ...rest,
    ...(first && { from: timestampFromDate(first) }),
    ...(end && { before: timestampFromDate(end) }),
  };
}

/** Returns the midnight at which a day begins, or that of some days later; in the user's time zone. */
function dayOf(day: string, daysLater: number): Date | undefined {
  const [, year, month, date] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day) ?? [];
  if (year === undefined) return undefined;
  return new Date(Number(year), Number(month) - 1, Number(date) + daysLater);
}
