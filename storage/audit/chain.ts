import { createHash } from 'node:crypto';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import type { JsonObject } from '../../protocol/json.ts';

export type AuditOutcome = 'done' | 'denied' | 'failed';

/** What somebody did, or was not let do. Never message content, never a secret. */
export interface AuditEvent {
  /** What it is, as `partner.suspend` or `border.denied`. */
  readonly action: string;
  readonly outcome: AuditOutcome;
  /** Who: a user id, `command line`, `configuration`, or a server. */
  readonly actor: string;
  /** Whom or what it concerns. */
  readonly subject?: string | undefined;
  readonly detail?: JsonObject | undefined;
}

/** A line of the audit log. Each carries the hash of the line before it. */
export interface AuditRecord extends AuditEvent {
  /** From 1 on, without gaps. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly ts: number;
  readonly prev: string;
  readonly hash: string;
}

/** What the first line carries as the hash before it. */
export const chainStart = '';

export function chained(event: AuditEvent, seq: number, ts: number, prev: string): AuditRecord {
  const { action, outcome, actor, subject, detail } = event;
  const record = {
    seq,
    ts,
    action,
    outcome,
    actor,
    ...(subject === undefined ? {} : { subject }),
    ...(detail === undefined ? {} : { detail }),
    prev,
  };
  return { ...record, hash: hashOf(record) };
}

/** SHA-256 of the canonical JSON of all but `hash`, in Base64. */
function hashOf(record: Omit<AuditRecord, 'hash'>): string {
  // Everything in a record is JSON; `undefined` does not come in.
  return createHash('sha256')
    .update(canonicalJson(record as unknown as JsonObject))
    .digest('base64');
}

export type ChainFault =
  | { readonly kind: 'altered'; readonly seq: number }
  | { readonly kind: 'missing'; readonly seq: number }
  | { readonly kind: 'broken'; readonly seq: number };

/** Checks lines in their order, across as many calls as it takes. */
export class ChainVerifier {
  #prev: string | undefined;
  #next: number;

  /** `from`: what stood before the first line, if it is known; else the first line is taken at its word. */
  constructor(from: { readonly seq: number; readonly hash: string } | undefined) {
    this.#prev = from?.hash;
    this.#next = from === undefined ? Number.NaN : from.seq + 1;
  }

  /** The first thing that is wrong with these lines: one was altered, one is missing, two do not belong together. */
  check(records: Iterable<AuditRecord>): ChainFault | undefined {
    for (const record of records) {
      const { hash, ...rest } = record;
      if (hashOf(rest) !== hash) return { kind: 'altered', seq: record.seq };
      if (!Number.isNaN(this.#next) && record.seq !== this.#next) return { kind: 'missing', seq: this.#next };
      if (this.#prev !== undefined && record.prev !== this.#prev) return { kind: 'broken', seq: record.seq };
      this.#prev = hash;
      this.#next = record.seq + 1;
    }
    return undefined;
  }
}
