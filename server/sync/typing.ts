import type { Clock, Timer } from '../../protocol/runtime.ts';

/**
 * Who is typing where: memory only, forgotten at a restart. Each change of a room's list has a serial, so that a
 * `/sync` can tell what it has not shown yet.
 */
export class TypingTracker {
  readonly #clock: Clock;
  readonly #changed: (roomId: string) => void;
  readonly #rooms = new Map<string, { serial: number; users: Map<string, Timer> }>();
  #serial = 0;

  /** `changed` is called after each change of a room's list. */
  constructor(clock: Clock, changed: (roomId: string) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get serial(): number {
    return this.#serial;
  }

  /** Marks a user as typing for `timeoutMs`, or as no longer typing (undefined). Says whether the list changed. */
  set(roomId: string, userId: string, timeoutMs: number | undefined): boolean {
    const room = this.#rooms.get(roomId) ?? { serial: 0, users: new Map<string, Timer>() };
    this.#rooms.set(roomId, room);
    const running = room.users.get(userId);
    running?.cancel();
    if (timeoutMs === undefined) {
      if (!room.users.delete(userId)) return false;
    } else {
      const timer = this.#clock.setTimer(timeoutMs, () => this.set(roomId, userId, undefined));
      room.users.set(userId, timer);
      if (running !== undefined) return false;
    }
    room.serial = ++this.#serial;
    this.#changed(roomId);
    return true;
  }

  /** The list of a room, if it changed after `serial`. */
  changedSince(roomId: string, serial: number): string[] | undefined {
    const room = this.#rooms.get(roomId);
    return room === undefined || room.serial <= serial ? undefined : [...room.users.keys()];
  }

  stop(): void {
    for (const { users } of this.#rooms.values()) for (const timer of users.values()) timer.cancel();
    this.#rooms.clear();
  }
}
