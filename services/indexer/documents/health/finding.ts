import type { HealthFindingKind } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';

/** A document as a check reads it. */
export interface CheckedDocument {
  documentId: string;
  title: string;
  attributes: Readonly<Record<string, string>>;
  /** Groups that may see it; empty: everyone in the tenant. */
  groups: readonly string[];
  chunks: readonly string[];
  /** When this content was indexed, in milliseconds since 1970. */
  indexedAtMs: number;
}

/** A place in a document. */
export interface Evidence {
  document: Pick<CheckedDocument, 'documentId' | 'title' | 'groups'>;
  text: string;
}

/** What a check has found. */
export interface Finding {
  kind: HealthFindingKind;
  evidence: Evidence[];
  detail: string;
  /** Overlap of the texts, 0 to 1; 0 for dates. */
  overlap: number;
}

/** Checks that read documents one after another. */
export interface HealthCheck {
  add(document: CheckedDocument): void;
  /** Returns what was found, the most important first. */
  findings(): Finding[];
}

/** Findings that a check keeps. */
export const findingsMax = 1000;
/** Documents that a finding keeps. */
export const evidenceMax = 200;
