import Type, { type TSchema } from 'typebox';
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
  /** Of a part: it is not put together key by key out of what stands in several places. */
  readonly whole?: boolean;
  /** Of an object: the key holds only beside these values, and its default is none elsewhere. */
  readonly onlyWith?: Readonly<Record<string, string>>;
}

/** A text of a certain kind. */
export function text(kind: TextKind, description: string, facts: KeyFacts = {}) {
  return Type.String({ kind, description, ...facts });
}

/** For objects: what is not named is a mistake. */
export const closed = { additionalProperties: false } as const;

/** A schema as JSON Schema, with the words of ours that `schema.ts` uses. */
export interface Shape extends KeyFacts {
  readonly description?: string;
  readonly type?: string;
  readonly kind?: TextKind;
  readonly enum?: readonly string[];
  /** Values that are meant to come, and what to say of them until then. */
  readonly notYet?: Readonly<Record<string, string>>;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly minProperties?: number;
  /** How a key of the record looks, for people. */
  readonly keyForm?: string;
  readonly items?: Shape;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** Said when there are more items than allowed. */
  readonly tooMany?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The schema as what it is at run time: JSON Schema. */
export function shapeOf(schema: TSchema): Shape {
  return schema as Shape;
}
