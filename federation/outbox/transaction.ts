import type { JsonObject } from '../../protocol/json.ts';
import type { Lane } from '../lanes.ts';

/** One thing to send: an event by its id, or an EDU with its content. */
export type OutboxItem =
  | { readonly position: number; readonly eventId: string }
  | { readonly position: number; readonly edu: JsonObject };

/**
 * A transaction whose boundaries are stored: under its id always the same ordered list. Each item has a
 * number; those of one epoch follow each other without gaps, from 1.
 */
export interface Transaction {
  readonly txnId: string;
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  readonly items: readonly OutboxItem[];
}

/** Limits of the Server-Server API for one transaction. */
export const maxPdus = 50;
export const maxEdus = 100;

export function itemLimit(lane: Lane): number {
  return lane === 'pdu' ? maxPdus : maxEdus;
}

/** The epoch is part of the id, so that a restored island can never use an id again. */
export function transactionId(epoch: string, lane: Lane, first: number, last: number): string {
  return `${epoch}.${lane}.${first}-${last}`;
}
