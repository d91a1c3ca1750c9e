import Type from 'typebox';
import type { TextKind } from './kinds.ts';

/** When a changed value holds: once the configuration is read again, or from the next start. */
export type TakesEffect = 'reload' | 'restart';

/** What a schema says of a key beside its shape; the documentation and the schema for editors are made of it. */
export interface KeyFacts {
  /** Stands at the top of a part, and holds for what is inside unless that says otherwise. */
  readonly takesEffect?: TakesEffect;
  /** What an absent key means, as it would be written. */
  readonly default?: unknown;
  /** What an absent key means, where no value says it. */
  readonly byDefault?: string;
  readonly examples?: readonly unknown[];
}

/** A text of a certain kind. */
export function text(kind: TextKind, description: string, facts: KeyFacts = {}) {
  return Type.String({ kind, description, ...facts });
}

/** For objects: what is not named is a mistake. */
export const closed = { additionalProperties: false } as const;
