import { forbidden, invalidParam } from '../../http/errors.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Database } from '../../storage/database.ts';
import { type Note, nextPosition, type WriteOp } from '../../storage/write-set.ts';
import type { LocalNotices } from '../notices/local-notices.ts';

export type ReceiptType = 'm.read' | 'm.read.private' | 'm.fully_read';

/** Tells partners of a public receipt: what is written with it, and who is woken after. Federation does it. */
export interface ReceiptRelay {
  receipt(receipt: {
    readonly roomId: string;
    readonly userId: string;
    readonly eventId: string;
    readonly threadId: string;
    readonly ts: number;
    readonly servers: Iterable<string>;
  }): { readonly ops: readonly WriteOp[]; readonly notes: readonly Note[] };
}

export interface ReceiptDeps {
  readonly db: Database;
  readonly engine: RoomEngine;
  readonly localNotices: LocalNotices;
  readonly relay: ReceiptRelay;
  readonly clock: Clock;
}

export interface NewReceipt {
  readonly roomId: string;
  readonly userId: string;
  readonly type: ReceiptType;
  readonly eventId: string;
  /** '' for an unthreaded receipt. */
  readonly threadId: string;
}

/** How far our people have read. A receipt never moves back: it marks everything up to its event. */
export class ReceiptService {
  readonly #deps: ReceiptDeps;

  constructor(deps: ReceiptDeps) {
    this.#deps = deps;
  }

  /** Stores receipts in one commit. Throws 403 for who is not in the room, 400 for an event that is not in it. */
  async put(receipts: readonly NewReceipt[]): Promise<void> {
    const ops: WriteOp[] = [];
    const notes: Note[] = [];
    for (const receipt of receipts) {
      const written =
        receipt.type === 'm.fully_read' ? await this.#fullyRead(receipt) : await this.#receipt(receipt);
      ops.push(...written.ops);
      notes.push(...written.notes);
    }
    if (ops.length > 0) await this.#deps.db.writer.submit({ label: 'receipt', ops, notes });
  }

  async #receipt(receipt: NewReceipt): Promise<{ ops: WriteOp[]; notes: Note[] }> {
    const { db, engine, clock, relay } = this.#deps;
    const { roomId, userId, threadId, type } = receipt;
    const { roomNid, servers, eventId, position: eventPos } = await this.#placeOf(receipt);
    const known = (await db.receipts.ofUser(roomNid, userId)).find(
      (record) => record.receiptType === type && record.threadId === threadId,
    );
    if (known !== undefined && known.eventPos >= eventPos) return { ops: [], notes: [] };
    const ts = clock.now();
    const position = nextPosition();
    const ops = db.receipts.put(
      { roomNid, userId, receiptType: type, threadId, eventId, ts, eventPos },
      position,
    );
    const notes: Note[] = [{ stream: 'receipts', key: roomId, position }];
    if (type !== 'm.read' || !engine.peek(roomId)?.hasLocalMember()) return { ops, notes };
    const relayed = relay.receipt({ roomId, userId, eventId, threadId, ts, servers });
    return { ops: [...ops, ...relayed.ops], notes: [...notes, ...relayed.notes] };
  }

  /** The read marker is the client's own: room account data, never shown to anybody else. */
  async #fullyRead(receipt: NewReceipt): Promise<{ ops: WriteOp[]; notes: Note[] }> {
    const { roomId, userId } = receipt;
    const { eventId } = await this.#placeOf(receipt);
    const position = nextPosition();
    return {
      ops: this.#deps.db.accountData.put(
        { userId, roomId, type: 'm.fully_read', content: JSON.stringify({ event_id: eventId }) },
        position,
      ),
      notes: [{ stream: 'account_data', key: userId, position }],
    };
  }

  async #placeOf({ roomId, userId, eventId }: NewReceipt): Promise<{
    roomNid: number;
    servers: ReadonlySet<string>;
    /** Of the event that is read: who reads a notice of ours has read the event before it. */
    eventId: string;
    position: number;
  }> {
    const { engine, localNotices } = this.#deps;
    const view = await engine.view(roomId);
    if (view?.membership(userId) !== 'join') throw forbidden('You are not joined to this room');
    const event = await localNotices.anchorOf(eventId);
    if (event === undefined || event.roomId !== roomId || typeof event.streamPos !== 'number') {
      throw invalidParam('There is no such event in this room');
    }
    const { streamPos: position } = event;
    return { roomNid: view.roomNid, servers: view.joinedServers(), eventId: event.eventId, position };
  }
}
