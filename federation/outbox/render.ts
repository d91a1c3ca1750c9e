import type { Logger } from 'pino';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Lane } from '../lanes.ts';
import type { OutboxItem } from './transaction.ts';

/**
 * Renders transactions. Events are read when they are sent, so that one that was redacted meanwhile leaves
 * in its redacted form; most of them are still in the rooms' memory.
 */
export class Renderer {
  readonly #serverName: string;
  readonly #engine: RoomEngine;
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor(deps: { serverName: string; engine: RoomEngine; clock: Clock; log: Logger }) {
    this.#serverName = deps.serverName;
    this.#engine = deps.engine;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** The body of a transaction with these items, in order. */
  async render(lane: Lane, items: readonly OutboxItem[]): Promise<Buffer> {
    const pdus: string[] = [];
    const edus: string[] = [];
    if (lane === 'pdu') {
      const ids = items.flatMap((item) => ('eventId' in item ? [item.eventId] : []));
      const events = await this.#engine.events(ids);
      for (const eventId of ids) {
        const event = events.get(eventId);
        if (event !== undefined) pdus.push(JSON.stringify(event.pdu));
        else this.#log.error({ eventId }, 'an outbox row is dead: its event is not in the database');
      }
    } else {
      for (const item of items) if ('edu' in item) edus.push(canonicalJson(item.edu));
    }
    return Buffer.from(
      `{"edus":[${edus.join(',')}],"origin":${JSON.stringify(this.#serverName)},` +
        `"origin_server_ts":${this.#clock.now()},"pdus":[${pdus.join(',')}]}`,
    );
  }
}
