import type { Logger } from 'pino';
import { explain } from '../../policy/decision.ts';
import { isValidEventId, serverNameOf } from '../../protocol/identifiers.ts';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import { TryAgain } from '../../rooms/errors.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { RoomView } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import { type Note, nextPosition, type WriteOp } from '../../storage/writer.ts';
import type { PartnerBorder } from '../border/border.ts';

/** A partner's typing notice ends by itself after this time; it is repeated while it holds. */
const typingTimeoutMs = 30_000;
/** Rooms and users in one receipt EDU that are looked at. */
const maxReceipts = 1_000;
/** So long a receipt waits for its event, which comes in another lane and may be much later. */
const maxReceiptWaitMs = 3_600_000;
const receiptTypes: readonly string[] = ['m.read'];

/** Tells the people here that somebody types; `timeoutMs` undefined: no longer. Memory only. */
export type TypingListener = (roomId: string, userId: string, timeoutMs: number | undefined) => void;

export type EduOutcome =
  /** Done, and what was to be written with it is on disk. */
  | { readonly kind: 'written' }
  /** Done, or of no meaning here; nothing was written. */
  | { readonly kind: 'ignored' }
  /** Not an EDU that is taken: a dead letter. */
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Receives EDUs. Nobody vouches for them but the link: the user has to be of the origin, joined to the
 * room, and the room must not deny the server.
 */
export class EduReceiver {
  readonly #engine: RoomEngine;
  readonly #db: Database;
  readonly #border: PartnerBorder;
  readonly #typing: TypingListener;
  readonly #log: Logger;

  constructor(deps: {
    engine: RoomEngine;
    db: Database;
    border: PartnerBorder;
    typing: TypingListener;
    log: Logger;
  }) {
    this.#engine = deps.engine;
    this.#db = deps.db;
    this.#border = deps.border;
    this.#typing = deps.typing;
    this.#log = deps.log;
  }

  /** An EDU outside of the stored transactions: what is not taken is forgotten. */
  async receiveVolatile(origin: string, edu: JsonValue): Promise<void> {
    if (!isObject(edu) || edu['edu_type'] !== 'm.typing') return;
    const outcome = await this.#receiveTyping(origin, edu['content']);
    if (outcome.kind === 'refused')
      this.#log.warn({ partner: origin, reason: outcome.reason }, 'a spoofed EDU');
  }

  /**
   * An EDU that was staged; `also` is written with what it changes. Those of one origin come one after the
   * other. Rejects with {@link TryAgain} while something that it refers to is not here yet.
   */
  async receive(
    origin: string,
    edu: JsonValue,
    waited: Waited,
    also: readonly WriteOp[],
  ): Promise<EduOutcome> {
    if (!isObject(edu)) return { kind: 'refused', reason: 'it is not an EDU' };
    const { edu_type: type, content } = edu;
    if (type === 'm.typing') return this.#receiveTyping(origin, content);
    if (type === 'm.receipt') return this.#receiveReceipts(origin, content, waited, also);
    return { kind: 'refused', reason: `EDUs of type ${String(type).slice(0, 100)} are not served` };
  }

  async #receiveTyping(origin: string, content: JsonValue | undefined): Promise<EduOutcome> {
    if (!isObject(content)) return { kind: 'refused', reason: 'm.typing without content' };
    const { room_id: roomId, user_id: userId, typing } = content;
    if (typeof roomId !== 'string' || typeof userId !== 'string' || typeof typing !== 'boolean')
      return { kind: 'refused', reason: 'm.typing has other content' };
    if (serverNameOf(userId) !== origin) return spoofed(userId);
    const view = await this.#engine.view(roomId);
    if (view === undefined || !this.#mayHear('typing', view, origin, userId)) return { kind: 'ignored' };
    this.#typing(roomId, userId, typing ? typingTimeoutMs : undefined);
    return { kind: 'ignored' };
  }

  async #receiveReceipts(
    origin: string,
    content: JsonValue | undefined,
    waited: Waited,
    also: readonly WriteOp[],
  ): Promise<EduOutcome> {
    if (!isObject(content)) return { kind: 'refused', reason: 'm.receipt without content' };
    const receipts = receiptsOf(content);
    const spoof = receipts.find((receipt) => serverNameOf(receipt.userId) !== origin);
    if (spoof !== undefined) return spoofed(spoof.userId);
    const ops: WriteOp[] = [];
    const notes: Note[] = [];
    for (const receipt of receipts) {
      const view = await this.#engine.view(receipt.roomId);
      if (view === undefined || !this.#mayHear('receipt', view, origin, receipt.userId)) continue;
      const event = await this.#engine.event(receipt.eventId);
      if (event?.streamPos === undefined && waited.ms < maxReceiptWaitMs)
        throw new TryAgain('the event of a receipt is not here yet', undefined, receipt.eventId);
      const eventPos = event?.roomId === receipt.roomId ? (event.streamPos ?? undefined) : undefined;
      if (eventPos === undefined) continue;
      if (waited.attempts > 0 && (await this.#isOvertaken(view.roomNid, receipt))) continue;
      const position = nextPosition();
      const { roomId, type, ...rest } = receipt;
      const record = { ...rest, roomNid: view.roomNid, receiptType: type, eventPos };
      ops.push(...this.#db.receipts.put(record, position));
      notes.push({ stream: 'receipts', key: roomId, position });
    }
    if (ops.length === 0) return { kind: 'ignored' };
    await this.#db.writer.submit({
      label: 'receipts of a partner',
      ops: [...ops, ...also],
      notes,
    });
    return { kind: 'written' };
  }

  /** What is not for us is dropped without a word to the partner: it is no news and no fault. */
  #mayHear(what: 'typing' | 'receipt', view: RoomView, origin: string, userId: string): boolean {
    const decision = mayActIn(view, origin, userId)
      ? this.#border.mayHear(origin, what, userId, view)
      : undefined;
    if (decision?.allowed === true) return true;
    const reason = decision === undefined ? 'its user is not in the room' : explain(decision);
    this.#log.debug({ partner: origin, edu: what, roomId: view.roomId, reason }, 'an EDU was dropped');
    return false;
  }

  /** Has a later receipt of this person been taken while this one waited for its event? */
  async #isOvertaken(roomNid: number, { userId, type, threadId, ts }: Receipt): Promise<boolean> {
    const known = await this.#db.receipts.ofUser(roomNid, userId);
    return known.some(
      (record) => record.receiptType === type && record.threadId === threadId && record.ts >= ts,
    );
  }
}

/** What a staged EDU has behind it. */
export interface Waited {
  /** How often it was tried before. */
  readonly attempts: number;
  /** Milliseconds since it was received. */
  readonly ms: number;
}

interface Receipt {
  readonly roomId: string;
  readonly type: string;
  readonly userId: string;
  readonly eventId: string;
  readonly threadId: string;
  readonly ts: number;
}

/** The receipts of an `m.receipt` EDU: room id, type, user id; the newest event id stands last. */
function receiptsOf(content: JsonObject): Receipt[] {
  const receipts: Receipt[] = [];
  for (const [roomId, types] of Object.entries(content)) {
    if (!isObject(types)) continue;
    for (const type of receiptTypes) {
      const users = types[type];
      if (!isObject(users)) continue;
      for (const [userId, receipt] of Object.entries(users)) {
        if (receipts.length === maxReceipts || !isObject(receipt)) continue;
        const { event_ids: eventIds, data } = receipt;
        const eventId = Array.isArray(eventIds) ? eventIds.at(-1) : undefined;
        if (typeof eventId !== 'string' || !isValidEventId(eventId)) continue;
        const { ts, thread_id: threadId } = isObject(data) ? data : ({} as JsonObject);
        receipts.push({
          roomId,
          type,
          userId,
          eventId,
          threadId: typeof threadId === 'string' ? threadId.slice(0, 255) : '',
          ts: typeof ts === 'number' && Number.isSafeInteger(ts) ? ts : 0,
        });
      }
    }
  }
  return receipts;
}

function mayActIn(view: RoomView, origin: string, userId: string): boolean {
  return view.hasLocalMember() && view.allowsServer(origin) && view.membership(userId) === 'join';
}

function spoofed(userId: string): EduOutcome {
  return { kind: 'refused', reason: `it speaks for ${userId.slice(0, 255)}, who is of another server` };
}
