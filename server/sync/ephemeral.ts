import type { JsonObject } from '../../protocol/json.ts';
import type { Database } from '../../storage/database.ts';
import { acceptsEvent, type RoomEventFilter } from '../event-filter.ts';
import type { TypingTracker } from './typing.ts';

export interface EphemeralQuery {
  readonly roomId: string;
  readonly roomNid: number;
  readonly userId: string;
  /** Receipts after this position; undefined: none are wanted. */
  readonly receiptsAfter: number | undefined;
  readonly upTo: number;
  readonly typingAfter: number;
  readonly filter: RoomEventFilter | undefined;
}

/** Typing and receipts of a room, as a client gets them. Nobody sees private receipts of others. */
export async function ephemeralEvents(
  deps: { readonly db: Database; readonly typing: TypingTracker },
  query: EphemeralQuery,
): Promise<JsonObject[]> {
  const events: { type: string; content: JsonObject }[] = [];
  const typing = deps.typing.changedSince(query.roomId, query.typingAfter);
  if (typing !== undefined) events.push({ type: 'm.typing', content: { user_ids: typing } });
  if (query.receiptsAfter !== undefined) {
    const content = await receiptContent(deps.db, query, query.receiptsAfter);
    if (Object.keys(content).length > 0) events.push({ type: 'm.receipt', content });
  }
  return events.filter((event) => acceptsEvent(query.filter, event));
}

/** Event id, receipt type, user id, then the time. */
async function receiptContent(db: Database, query: EphemeralQuery, after: number): Promise<JsonObject> {
  const content: Record<string, Record<string, Record<string, JsonObject>>> = {};
  for (const receipt of await db.receipts.changes([query.roomNid], after, query.upTo)) {
    const { receiptType, userId, eventId, ts, threadId } = receipt;
    const isVisible =
      receiptType === 'm.read' || (receiptType === 'm.read.private' && userId === query.userId);
    if (!isVisible) continue;
    content[eventId] ??= {};
    const ofEvent = content[eventId];
    ofEvent[receiptType] ??= {};
    ofEvent[receiptType][userId] = { ts, ...(threadId === '' ? {} : { thread_id: threadId }) };
  }
  return content;
}
