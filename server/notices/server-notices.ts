import type { Logger } from 'pino';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Database } from '../../storage/database.ts';
import type { PendingNotice } from '../../storage/stores/server-notice-store.ts';
import type { Note, WriteOp } from '../../storage/write-set.ts';
import type { NoticeRooms } from './notice-rooms.ts';
import type { SystemUser } from './system-user.ts';

/** Something that the server tells a user. */
export interface ServerNotice {
  /** `server_notice_type`: `org.archipelago.…` */
  readonly type: string;
  /** For people; from `texts.ts`. */
  readonly body: string;
  /** For programs. */
  readonly about?: JsonObject;
}

export interface ServerNoticesDeps {
  readonly db: Database;
  readonly engine: RoomEngine;
  readonly system: SystemUser;
  readonly rooms: NoticeRooms;
  /** How the admin is reached. */
  readonly adminContact: () => string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

const pageSize = 200;
const retryMs = 30_000;

/**
 * Tells users things, each in the server notice room of theirs. What is to be told is a row that is written together
 * with its cause; the rows are worked off one after the other, across restarts, each sent once.
 */
export class ServerNotices {
  readonly #deps: ServerNoticesDeps;
  readonly #unsubscribe: () => void;
  #working: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #timer: Timer | undefined;

  constructor(deps: ServerNoticesDeps) {
    this.#deps = deps;
    this.#unsubscribe = deps.db.streams.subscribe((batch) => {
      if (batch.some(({ stream }) => stream === 'server_notices')) this.#wake();
    });
  }

  /** Sends what an earlier run left. */
  start(): void {
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#timer?.cancel();
    await this.#working;
  }

  /** Resolves when everything is sent, or could not be sent just now. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /**
   * What makes users of ours be told of something, for the write set of that which happened. `cause` names it: a user
   * is told of each once.
   */
  pending(
    cause: string,
    notices: Iterable<readonly [userId: string, notice: ServerNotice]>,
  ): { readonly ops: readonly WriteOp[]; readonly notes: readonly Note[] } {
    const { db, clock } = this.#deps;
    const createdTs = clock.now();
    const rows: PendingNotice[] = [];
    for (const [userId, { type, body, about }] of notices)
      rows.push({ userId, cause, createdTs, notice: JSON.stringify({ type, body, about }) });
    if (rows.length === 0) return { ops: [], notes: [] };
    return { ops: db.serverNotices.put(rows), notes: [{ stream: 'server_notices', key: cause }] };
  }

  /** Tells users of something that has no write set of its own. Resolves when that is on disk, not when it is sent. */
  async notify(userIds: Iterable<string>, cause: string, notice: ServerNotice): Promise<void> {
    const { ops, notes } = this.pending(
      cause,
      [...userIds].map((userId) => [userId, notice] as const),
    );
    if (ops.length > 0) await this.#deps.db.writer.submit({ label: 'server notices', ops, notes });
  }

  #wake(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async #work(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const isAllSent = await this.#pass().catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'server notices could not be read');
        return false;
      });
      if (isAllSent) continue;
      this.#timer?.cancel();
      this.#timer = this.#deps.clock.setTimer(retryMs, () => this.#wake());
    }
  }

  /**
   * Once through all that waits, one after the other: others who send go on in between. False if something could not
   * be sent; who missed one is told of nothing later before it.
   */
  async #pass(): Promise<boolean> {
    const { db, log } = this.#deps;
    const missed = new Set<string>();
    let last: PendingNotice | undefined;
    for (;;) {
      const page = await db.serverNotices.waiting(pageSize, last);
      last = page.at(-1);
      if (last === undefined) return missed.size === 0;
      for (const notice of page) {
        if (this.#stopped) return true;
        const { userId, cause } = notice;
        if (missed.has(userId)) continue;
        try {
          await this.#send(notice);
        } catch (error) {
          missed.add(userId);
          log.error({ err: error, userId, cause }, 'a server notice could not be sent');
        }
      }
    }
  }

  /** The transaction id is that of the notice: who was killed between the two commits does not send it twice. */
  async #send(pending: PendingNotice): Promise<void> {
    const { db, engine, rooms, system } = this.#deps;
    const { userId, cause } = pending;
    const user = await db.users.get(userId.slice(1, userId.indexOf(':')));
    const notice = parseJson(pending.notice);
    if (user !== undefined && !user.deactivated && isObject(notice)) {
      const roomId = await rooms.of(userId);
      await engine.send({
        userId: system.userId,
        roomId,
        type: 'm.room.message',
        content: this.#contentOf(notice),
        txn: { deviceId: 'notices', txnKey: `${userId}\n${cause}` },
      });
    }
    await db.writer.submit({ label: 'server notice sent', ops: db.serverNotices.sent(pending) });
  }

  #contentOf(notice: { readonly [key: string]: JsonValue }): JsonObject {
    const { type = '', body = '', about } = notice;
    const contact = this.#deps.adminContact();
    return {
      msgtype: 'm.server_notice',
      server_notice_type: type,
      body,
      ...(contact === undefined ? {} : { admin_contact: contact }),
      ...(about === undefined ? {} : { 'org.archipelago.notice': about }),
    };
  }
}
