import type { JsonObject } from '../../protocol/json.ts';
import { type Note, nextPosition, type WriteOp } from '../../storage/writer.ts';

/** A public receipt (`m.read`) of one of our users. */
export interface LocalReceipt {
  readonly roomId: string;
  readonly userId: string;
  readonly eventId: string;
  /** '' or absent: not in a thread. */
  readonly threadId?: string;
  /** Milliseconds since the epoch. */
  readonly ts: number;
  /** Servers with a member in the room; those that may not have it are left out. */
  readonly servers: Iterable<string>;
}

/** Of a person's receipts in a room (or thread) only the newest counts: it replaces the one that still waits. */
export function receiptOps(receipt: LocalReceipt, destinations: readonly string[]): WriteOp[] {
  if (destinations.length === 0) return [];
  const threadId = receipt.threadId ?? '';
  const data: JsonObject = { ts: receipt.ts };
  if (threadId !== '') data['thread_id'] = threadId;
  const edu: JsonObject = {
    edu_type: 'm.receipt',
    content: { [receipt.roomId]: { 'm.read': { [receipt.userId]: { event_ids: [receipt.eventId], data } } } },
  };
  const text = JSON.stringify(edu);
  const key = JSON.stringify(['receipt', receipt.roomId, receipt.userId, threadId]);
  return [
    ...destinations.map(
      (destination): WriteOp => ({
        kind: 'delete',
        table: 'outbox',
        where: { destination, lane: 'ephemeral', dedup_key: key },
      }),
    ),
    {
      kind: 'insert',
      table: 'outbox',
      rows: destinations.map((destination) => ({
        destination,
        lane: 'ephemeral',
        position: nextPosition(),
        event_id: null,
        edu: text,
        dedup_key: key,
      })),
    },
  ];
}

export function receiptNotes(destinations: readonly string[]): Note[] {
  return destinations.map((destination) => ({ stream: 'outbox', key: destination, payload: 'ephemeral' }));
}
