import assert from 'node:assert/strict';
import { selectAuthEvents } from '../../protocol/auth/select-auth-events.ts';
import { type Pdu, type StateKey, stateKeyOf, type UnsignedPdu } from '../../protocol/event.ts';
import { eventIdOf, roomIdOf } from '../../protocol/hashing.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { type RoomVersion, roomVersion } from '../../protocol/room-versions.ts';
import type { ForgedEvent, ForgingPartner, Reply } from './forging-partner.ts';

/** A room that a forging partner hosts: made by hand as an honest server would, and told as it likes. */
export class ForgedRoom {
  readonly forger: ForgingPartner;
  readonly version: RoomVersion;
  readonly creator: string;
  readonly roomId: string;
  readonly create: ForgedEvent;
  readonly state = new Map<StateKey, ForgedEvent>();
  /** All of its state events, those that others replaced too. */
  readonly #past: Pdu[];
  #tip: ForgedEvent;
  #depth = 1;

  /** A public room of `creator`, a user of the forger's. */
  constructor(forger: ForgingPartner, versionId: string, creator: string) {
    const version = roomVersion(versionId);
    assert.ok(version);
    this.forger = forger;
    this.version = version;
    this.creator = creator;
    // Another room than one that was made in the same millisecond.
    const timestamp = Date.now() + forger.events.size;
    this.create = forger.sign(
      {
        type: 'm.room.create',
        state_key: '',
        sender: creator,
        content: { room_version: versionId, ...(version.creatorInContent ? { creator } : {}) },
        prev_events: [],
        auth_events: [],
        depth: 1,
        origin_server_ts: timestamp,
        ...(version.roomIdIsHash ? {} : { room_id: `!forged${timestamp}:${forger.serverName}` }),
      },
      version,
    );
    this.roomId = roomIdOf(this.create.pdu, version);
    this.#tip = this.create;
    this.#past = [this.create.pdu];
    this.state.set(stateKeyOf('m.room.create', ''), this.create);
    this.add('m.room.member', creator, { membership: 'join' });
    const users = version.creatorsArePrivileged ? {} : { [creator]: 100 };
    this.add('m.room.power_levels', '', { users });
    this.add('m.room.join_rules', '', { join_rule: 'public' });
  }

  /** Adds a state event at the end of the room. */
  add(type: string, stateKey: string, content: JsonObject, sender = this.creator): ForgedEvent {
    const event = this.forger.sign(this.draft(type, stateKey, content, sender), this.version);
    this.#take(event);
    return event;
  }

  /** A state event as it would come next. */
  draft(type: string, stateKey: string, content: JsonObject, sender = this.creator): UnsignedPdu {
    const draft: UnsignedPdu = {
      room_id: this.roomId,
      type,
      state_key: stateKey,
      sender,
      content,
      prev_events: [this.#tip.eventId],
      auth_events: [],
      depth: this.#depth + 1,
      origin_server_ts: Date.now(),
    };
    draft.auth_events = selectAuthEvents(draft, this.version).flatMap(
      (key) => this.state.get(stateKeyOf(key.type, key.stateKey))?.eventId ?? [],
    );
    return draft;
  }

  #take(event: ForgedEvent): void {
    this.state.set(stateKeyOf(event.pdu.type, event.pdu.state_key ?? ''), event);
    this.#tip = event;
    this.#past.push(event.pdu);
    this.#depth = event.pdu.depth;
  }

  /** An honest answer to `make_join`. */
  makeJoin(userId: string): JsonObject {
    const event = this.draft('m.room.member', userId, { membership: 'join' }, userId);
    return { room_version: this.version.id, event };
  }

  /** An honest answer to `send_join`. */
  sendJoin(pdu: Pdu): JsonObject {
    const state = [...this.state.values()].map((event) => event.pdu);
    const chain = [...this.#past];
    const event = { eventId: eventIdOf(pdu, this.version), pdu };
    this.forger.events.set(event.eventId, pdu);
    this.#take(event);
    return { origin: this.forger.serverName, event: pdu, state, auth_chain: chain, members_omitted: false };
  }

  /** Answers joins, honestly but for what these functions make of the answers. */
  serve(
    lies: {
      template?: (honest: JsonObject) => JsonObject | Reply;
      answer?: (honest: JsonObject) => JsonObject;
    } = {},
  ): void {
    const { template = (honest) => honest, answer = (honest) => honest } = lies;
    this.forger.answers.set('make_join', ({ uri }) => {
      const userId = decodeURIComponent(uri.split('?')[0]?.split('/').at(-1) ?? '');
      return { status: 200, body: template(this.makeJoin(userId)) as JsonObject };
    });
    this.forger.answers.set('send_join', ({ body }) => ({
      status: 200,
      // What an honest island sends to be joined is an event.
      body: answer(this.sendJoin(body as Pdu)),
    }));
  }
}
