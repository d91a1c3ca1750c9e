import type { JsonObject } from '../../protocol/json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Database } from '../../storage/database.ts';
import type { PublishedNote, StreamName } from '../../storage/streams.ts';
import { acceptsEvent, selectFields } from '../event-filter.ts';
import type { LocalNotices } from '../notices/local-notices.ts';
import { pushRulesContent } from '../push-rules.ts';
import { AccountDataChanges } from './account-data-changes.ts';
import type { Boots } from './boots.ts';
import { ChangeIndex } from './change-index.ts';
import { RoomSync } from './room-sync.ts';
import { RoomTimelines } from './room-timelines.ts';
import type { RoomSections, SyncRequest, SyncScope } from './sync-request.ts';
import { formatSyncToken, type SyncToken } from './token.ts';
import type { TypingTracker } from './typing.ts';
import { UnreadCounter } from './unread.ts';
import { Waiters } from './waiters.ts';

export interface SyncDeps {
  readonly db: Database;
  readonly engine: RoomEngine;
  readonly localNotices: LocalNotices;
  readonly typing: TypingTracker;
  readonly clock: Clock;
  /** Tell this process from earlier ones: the serials of typing are its own. */
  readonly boots: Boots;
}

/** Streams whose notes are about a room, which all its members hear. */
const ofRooms: ReadonlySet<StreamName> = new Set(['events', 'local_notices', 'receipts', 'typing']);

/** `/sync`: what has changed for a user since a token, or nothing for a while and then what has. */
export class SyncService {
  readonly #deps: SyncDeps;
  readonly #waiters = new Waiters();
  readonly #accountData: ChangeIndex;
  readonly #rooms: RoomSync;
  readonly #unsubscribe: () => void;
  #closing = false;

  constructor(deps: SyncDeps) {
    const { db, engine } = deps;
    this.#deps = deps;
    this.#accountData = new ChangeIndex(db.streams.position);
    const timelines = new RoomTimelines(db, deps.localNotices);
    this.#rooms = new RoomSync({ ...deps, timelines, unread: new UnreadCounter({ db, engine, timelines }) });
    this.#unsubscribe = db.streams.subscribe((batch) => this.#heard(batch));
  }

  /** How many `/sync` calls wait now. */
  get waiting(): number {
    return this.#waiters.size;
  }

  async sync(request: SyncRequest): Promise<JsonObject> {
    const { clock, db } = this.#deps;
    const waiter = this.#waiters.register(request.userId);
    try {
      const deadline = clock.now() + request.timeout;
      for (;;) {
        waiter.rearm();
        const upTo = this.#now();
        const since = this.#sinceOf(request, upTo);
        const accountData = new AccountDataChanges(db, request.userId, upTo.position);
        const composed = await this.#compose({ ...request, since, upTo, accountData });
        if (composed === undefined) continue;
        const { body, isEmpty } = composed;
        const isDue = since === undefined || request.fullState || !isEmpty || this.#closing;
        const left = deadline - clock.now();
        if (isDue || left <= 0 || request.signal.aborted) return body;
        await this.#sleep(waiter.woken(), left, request.signal);
      }
    } finally {
      waiter.release();
    }
  }

  /** A token from the future is one of a database that was since restored: the client starts anew. */
  #sinceOf({ since }: SyncRequest, upTo: SyncToken): SyncToken | undefined {
    if (since === undefined || since.position > upTo.position) return undefined;
    return this.#deps.boots.knows(since) ? since : undefined;
  }

  /** Lets every waiting call answer at once. */
  stop(): void {
    this.#closing = true;
    this.#unsubscribe();
    this.#waiters.wakeAll();
  }

  #now(): SyncToken {
    const { db, typing, boots } = this.#deps;
    return { position: db.streams.position, typing: typing.serial, boot: boots.current };
  }

  async #sleep(woken: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
    let stop = (): void => {};
    const ended = new Promise<void>((resolve) => {
      const timer = this.#deps.clock.setTimer(ms, resolve);
      const gone = (): void => resolve();
      signal.addEventListener('abort', gone, { once: true });
      stop = () => {
        timer.cancel();
        signal.removeEventListener('abort', gone);
      };
    });
    await Promise.race([woken, ended]);
    stop();
  }

  async #compose(scope: SyncScope): Promise<{ body: JsonObject; isEmpty: boolean } | undefined> {
    const rooms = await this.#rooms.compose(scope);
    if (rooms === undefined) return undefined;
    const accountData = await this.#globalAccountData(scope);
    const isEmpty = accountData.length === 0 && isEmptySections(rooms);
    const body: JsonObject = { next_batch: formatSyncToken(scope.upTo) };
    if (accountData.length > 0) body['account_data'] = { events: accountData };
    const sections: JsonObject = {};
    for (const section of ['join', 'invite', 'leave'] as const) {
      if (Object.keys(rooms[section]).length > 0) sections[section] = rooms[section];
    }
    if (Object.keys(sections).length > 0) body['rooms'] = sections;
    return { body, isEmpty };
  }

  async #globalAccountData(scope: SyncScope): Promise<JsonObject[]> {
    const { userId, filter, since } = scope;
    const events: JsonObject[] = [];
    if (since === undefined) {
      // Clients read their push rules from here.
      events.push({ type: 'm.push_rules', content: pushRulesContent(userId) });
    }
    if (since === undefined || this.#accountData.mayHaveChanged(userId, since.position)) {
      const records = await scope.accountData.after(since?.position ?? -1);
      for (const { roomId, type, content } of records) {
        if (roomId === '') events.push({ type, content: JSON.parse(content) as JsonObject });
      }
    }
    return events
      .filter(({ type, content }) =>
        acceptsEvent(filter.account_data, { type: String(type), content: content as JsonObject }),
      )
      .map((event) => selectFields(event, filter.event_fields));
  }

  #heard(batch: readonly PublishedNote[]): void {
    const users = new Set<string>();
    for (const note of batch) {
      if (note.stream === 'account_data') {
        this.#accountData.changed(note.key, note.position);
        this.#rooms.accountDataChanged(note.key, note.position);
        users.add(note.key);
      } else if (note.stream === 'memberships') {
        this.#rooms.membershipChanged(note.key);
        users.add(note.key);
      } else if (ofRooms.has(note.stream)) {
        this.#rooms.roomChanged(note);
        this.#rooms.addLocalMembers(note.key, this.#waiters.users(), users);
      }
    }
    for (const userId of users) this.#waiters.wake(userId);
  }
}

function isEmptySections(rooms: RoomSections): boolean {
  return [rooms.join, rooms.invite, rooms.leave].every((section) => Object.keys(section).length === 0);
}
