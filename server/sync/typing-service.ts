import { forbidden } from '../../http/errors.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { PublishedNote, Streams } from '../../storage/streams.ts';
import type { TypingTracker } from './typing.ts';

/** Tells partners that one of ours types, or no longer does. Federation does it. */
export interface TypingRelay {
  typing(roomId: string, userId: string, isTyping: boolean, servers: Iterable<string>): void;
}

export interface TypingDeps {
  readonly engine: RoomEngine;
  readonly tracker: TypingTracker;
  readonly relay: TypingRelay;
  readonly streams: Streams;
}

const maxTypingMs = 120_000;
const defaultTypingMs = 30_000;

/** Who types where: of our own people, and of partners' as they tell us. */
export class TypingService {
  readonly #deps: TypingDeps;

  constructor(deps: TypingDeps) {
    this.#deps = deps;
    deps.streams.subscribe((batch) => {
      for (const note of batch) if (note.stream === 'memberships') this.#membershipChanged(note);
    });
  }

  /** Throws 403 for who is not in the room. */
  async set(roomId: string, userId: string, isTyping: boolean, timeout = defaultTypingMs): Promise<void> {
    const view = await this.#deps.engine.view(roomId);
    if (view?.membership(userId) !== 'join') throw forbidden('You are not joined to this room');
    const bounded = Math.min(Math.max(timeout, 1), maxTypingMs);
    const isNew = this.#deps.tracker.set(roomId, userId, isTyping ? bounded : undefined);
    // Repeated while it holds: a partner's notice ends by itself.
    if (isNew || isTyping) this.#deps.relay.typing(roomId, userId, isTyping, view.joinedServers());
  }

  /** Who leaves a room no longer types there. */
  #membershipChanged({ key: userId, payload }: PublishedNote): void {
    if (typeof payload !== 'object' || payload === null) return;
    if (!('roomId' in payload) || typeof payload.roomId !== 'string') return;
    if ('membership' in payload && payload.membership !== 'join')
      this.#deps.tracker.set(payload.roomId, userId, undefined);
  }

  /** A partner's user types. */
  heard(roomId: string, userId: string, timeoutMs: number | undefined): void {
    this.#deps.tracker.set(roomId, userId, timeoutMs);
  }
}
