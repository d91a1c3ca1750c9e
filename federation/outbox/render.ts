import type { Logger } from 'pino';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { Lane } from '../lanes.ts';
import type { OutboxItem } from './transaction.ts';

/** Where the canonical texts of events come from, in the form in which they stand now. */
export interface EventTexts {
  texts(eventIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

/**
 * Renders transactions. Events are read when they are sent, so that one that was redacted meanwhile leaves
 * in its redacted form; their stored texts go into the body as they are, without being parsed.
 */
export class Renderer {
  readonly #serverName: string;
  readonly #events: EventTexts;
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor(deps: { serverName: string; events: EventTexts; clock: Clock; log: Logger }) {
    this.#serverName = deps.serverName;
    this.#events = deps.events;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** The body of a transaction with these items, in order. */
  async render(lane: Lane, items: readonly OutboxItem[]): Promise<Buffer> {
    const pdus: string[] = [];
    const edus: string[] = [];
    if (lane === 'pdu') {
      const ids = items.flatMap((item) => ('eventId' in item ? [item.eventId] : []));
      const texts = await this.#events.texts(ids);
      for (const eventId of ids) {
        const text = texts.get(eventId);
        if (text !== undefined) pdus.push(text);
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
