import assert from 'node:assert/strict';
import { authorize, type StateLookup } from '../../protocol/auth/authorize.ts';
import { selectAuthEvents } from '../../protocol/auth/select-auth-events.ts';
import { type Pdu, type RoomEvent, type StateKey, type StateMap, stateKeyOf } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { RoomVersion, RoomVersionId } from '../../protocol/room-versions.ts';
import { resolveState } from '../../protocol/state-resolution/resolve.ts';
import { versionOf } from './auth-room.ts';

export interface StateEvent {
  readonly type: string;
  readonly sender: string;
  readonly stateKey?: string;
  readonly content: JsonObject;
  /** The time of the event; one more than that of the event before it unless told. */
  readonly at?: number;
  /** Instead of what the state of the branch gives. */
  readonly authEvents?: readonly string[];
  /** Instead of the end of the branch. */
  readonly prev?: readonly string[];
  readonly rejected?: boolean;
}

/**
 * The events of one room, with names for ids, as state resolution sees them: no hashes, no signatures. The room id
 * of version 12 is the name of the create event.
 */
export class StateGraph {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly events = new Map<string, RoomEvent>();
  /** How often `load` was asked. */
  loads = 0;

  constructor(version: RoomVersionId) {
    this.version = versionOf(version);
    this.roomId = this.version.roomIdIsHash ? '!create' : '!room:one.test';
  }

  readonly load = (eventId: string): RoomEvent | undefined => {
    this.loads += 1;
    return this.events.get(eventId);
  };

  /** A room that somebody has made and joined, with these power levels and join rule. */
  start(
    creator: string,
    powerLevels: JsonObject,
    joinRule = 'public',
    createContent: JsonObject = {},
  ): Branch {
    const branch = new Branch(this, new Map(), [], 0);
    branch.add('create', {
      type: 'm.room.create',
      sender: creator,
      content: {
        ...(this.version.creatorInContent ? { creator } : {}),
        room_version: this.version.id,
        ...createContent,
      },
    });
    branch.member(`join ${creator}`, creator, 'join');
    branch.add('levels', { type: 'm.room.power_levels', sender: creator, content: powerLevels });
    branch.joinRule('rule', creator, joinRule);
    return branch;
  }

  /** The `users` of power levels, with the creator at 100 in versions whose creators have no power of their own. */
  users(creator: string, others: JsonObject = {}): JsonObject {
    return this.version.creatorsArePrivileged ? others : { [creator]: 100, ...others };
  }

  /** The resolution of the states at the ends of some branches. */
  resolve(...branches: readonly Branch[]): Map<StateKey, string> {
    return new Map(
      resolveState(
        this.version,
        branches.map((branch) => branch.state),
        this.load,
      ),
    );
  }

  /** The name of the event that a state has at one place. */
  at(state: StateMap, type: string, stateKey = ''): string | undefined {
    return state.get(stateKeyOf(type, stateKey));
  }

  lookup(state: StateMap): StateLookup {
    return {
      get: (type, stateKey) => {
        const id = state.get(stateKeyOf(type, stateKey));
        return id === undefined ? undefined : this.events.get(id);
      },
    };
  }
}

/** One line of events, each on top of the one before, with the state after the last. */
export class Branch {
  readonly graph: StateGraph;
  readonly state: Map<StateKey, string>;
  prev: readonly string[];
  time: number;

  constructor(graph: StateGraph, state: StateMap, prev: readonly string[], time: number) {
    this.graph = graph;
    this.state = new Map(state);
    this.prev = prev;
    this.time = time;
  }

  /** Another line that starts where this one is now. */
  fork(): Branch {
    return new Branch(this.graph, this.state, this.prev, this.time);
  }

  /** An event at the end of the branch, which is not in it yet. */
  make(name: string, event: StateEvent): RoomEvent {
    const { graph } = this;
    const isCreate = event.type === 'm.room.create';
    const stateKey = event.stateKey ?? '';
    const keys = selectAuthEvents({ ...event, state_key: stateKey }, graph.version);
    const selected = keys.map(({ type, stateKey: key }) => this.state.get(stateKeyOf(type, key)));
    const pdu: Pdu = {
      ...(isCreate && graph.version.roomIdIsHash ? {} : { room_id: graph.roomId }),
      type: event.type,
      sender: event.sender,
      state_key: stateKey,
      content: event.content,
      prev_events: [...(event.prev ?? this.prev)],
      auth_events: [...(event.authEvents ?? selected.filter((id) => id !== undefined))],
      depth: this.time + 1,
      origin_server_ts: event.at ?? this.time + 1,
      hashes: { sha256: '' },
      signatures: {},
    };
    return { eventId: `$${name}`, roomId: graph.roomId, pdu, rejected: event.rejected ?? false };
  }

  /** Takes an event into the graph and, if it is not a rejected one, into the state of the branch. */
  put(event: RoomEvent): string {
    const { graph } = this;
    assert.equal(graph.events.has(event.eventId), false, `two events are named ${event.eventId}`);
    graph.events.set(event.eventId, event);
    this.prev = [event.eventId];
    this.time += 1;
    if (!event.rejected) {
      this.state.set(stateKeyOf(event.pdu.type, event.pdu.state_key ?? ''), event.eventId);
    }
    return event.eventId;
  }

  /** A new event that the auth rules must allow here. */
  add(name: string, event: StateEvent): string {
    const made = this.make(name, event);
    const verdict = this.judge(made);
    assert.ok(verdict.allowed || made.rejected, `${name} is not allowed: ${verdict.rule}`);
    return this.put(made);
  }

  judge(event: RoomEvent) {
    const { version } = this.graph;
    return authorize(event, this.graph.lookup(this.state), version, { isSignedBy: () => true });
  }

  member(name: string, userId: string, membership: string, sender = userId, at?: number): string {
    const content = { membership };
    const time = at === undefined ? {} : { at };
    return this.add(name, { type: 'm.room.member', sender, stateKey: userId, content, ...time });
  }

  powerLevels(name: string, sender: string, content: JsonObject, at?: number): string {
    const time = at === undefined ? {} : { at };
    return this.add(name, { type: 'm.room.power_levels', sender, content, ...time });
  }

  joinRule(name: string, sender: string, rule: string, at?: number): string {
    const time = at === undefined ? {} : { at };
    return this.add(name, { type: 'm.room.join_rules', sender, content: { join_rule: rule }, ...time });
  }

  topic(name: string, sender: string, at?: number): string {
    const time = at === undefined ? {} : { at };
    return this.add(name, { type: 'm.room.topic', sender, content: { topic: name }, ...time });
  }
}
