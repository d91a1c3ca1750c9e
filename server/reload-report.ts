import type { TakesEffect } from '../config/schema-kit.ts';

/** What a reload did. */
export interface ReloadReport {
  readonly partners: {
    readonly total: number;
    readonly added: string[];
    readonly changed: string[];
    readonly removed: string[];
  };
  /** Keys whose new value is in force now, beside those of partners. */
  readonly changed: string[];
  /** Keys whose new value waits for a restart. */
  readonly waiting: string[];
  /** Where only one partner was to be taken over: what else the files say that is not in force. */
  readonly pending: string[];
  readonly warnings: string[];
}

/** What a reload would do. */
export interface DiffReport {
  readonly partners: { readonly added: string[]; readonly changed: string[]; readonly removed: string[] };
  readonly changes: {
    readonly key: string;
    /** As JSON; null for none, and secrets are not shown. */
    readonly before: string | null;
    readonly after: string | null;
    readonly takes_effect: TakesEffect;
  }[];
}
