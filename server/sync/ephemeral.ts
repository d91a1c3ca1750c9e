import type { JsonObject } from '../../protocol/json.ts';
import type { Database } from '../../storage/database.ts';
import { acceptsEvent, acceptsRoom, type RoomEventFilter } from '../event-filter.ts';
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
  if (!acceptsRoom(query.filter, query.roomId)) return [];
  const events: { type: string; content: JsonObject }[] = [];
  const typing = deps.typing.changedSince(query.roomId, query.typingAfter);
  if (typing !== undefined) events.push({ type: 'm.typing', content: { user_ids: typing } });
  if (query.receiptsAfter !== undefined) {
    for (const content of await receiptContents(deps.db, query, query.receiptsAfter))
      events.push({ type: 'm.receipt', content });
  }
  return events.filter((event) => acceptsEvent(query.filter, event));
}

type ReceiptContent = Record<string, Record<string, Record<string, JsonObject>>>;

/**
 * Event id, receipt type, user id, then the time. One content has room for one receipt of a user at an event: of those
 * for several threads each further one goes into a content of its own.
 */
async function receiptContents(
  db: Database,
  query: EphemeralQuery,
  after: number,
): Promise<ReceiptContent[]> {
  const contents: ReceiptContent[] = [];
  for (const receipt of await db.receipts.changes([query.roomNid], after, query.upTo)) {
    const { receiptType, userId, eventId, ts, threadId } = receipt;
    const isVisible =
      receiptType === 'm.read' || (receiptType === 'm.read.private' && userId === query.userId);
    if (!isVisible) continue;
    let content = contents.find((candidate) => candidate[eventId]?.[receiptType]?.[userId] === undefined);
    if (content === undefined) {
      content = {};
      contents.push(content);
    }
    content[eventId] ??= {};
    const ofEvent = content[eventId];
    ofEvent[receiptType] ??= {};
    ofEvent[receiptType][userId] = { ts, ...(threadId === '' ? {} : { thread_id: threadId }) };
  }
  return contents;
}
