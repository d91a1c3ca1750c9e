import type { JsonObject } from '../../protocol/json.ts';
import { at, listAt, textAt } from './client.ts';

/** Parts of a `/sync` answer. */

export type Section = 'join' | 'invite' | 'leave';

/** The token to go on from. */
export function nextBatch(sync: JsonObject): string {
  return textAt(sync, 'next_batch');
}

/** Ids of the rooms of one section. */
export function roomsIn(sync: JsonObject, section: Section): string[] {
  const rooms = at(sync, 'rooms', section);
  return rooms === undefined || rooms === null ? [] : Object.keys(rooms);
}

export function timelineOf(sync: JsonObject, roomId: string, section: Section = 'join'): JsonObject[] {
  return listAt(sync, 'rooms', section, roomId, 'timeline', 'events');
}

export function stateOf(sync: JsonObject, roomId: string, section: Section = 'join'): JsonObject[] {
  return listAt(sync, 'rooms', section, roomId, 'state', 'events');
}

export function ephemeralOf(sync: JsonObject, roomId: string, type: string): JsonObject[] {
  return listAt(sync, 'rooms', 'join', roomId, 'ephemeral', 'events').filter(
    (event) => event['type'] === type,
  );
}

export function idsOf(events: readonly JsonObject[]): string[] {
  return events.map((event) => textAt(event, 'event_id'));
}

/** The bodies of the messages among these events; redacted ones have none. */
export function textsOf(events: readonly JsonObject[]): string[] {
  return events.flatMap((event) => {
    const body = event['type'] === 'm.room.message' ? at(event, 'content', 'body') : undefined;
    return typeof body === 'string' ? [body] : [];
  });
}

/** `type` or `type/state key` of each event. */
export function typesOf(events: readonly JsonObject[]): string[] {
  return events.map((event) => {
    const key = event['state_key'];
    return typeof key === 'string' && key !== '' ? `${textAt(event, 'type')}/${key}` : textAt(event, 'type');
  });
}

/** The one event of a type and state key, if there is one. */
export function eventOf(events: readonly JsonObject[], type: string, stateKey = ''): JsonObject | undefined {
  return events.find((event) => event['type'] === type && event['state_key'] === stateKey);
}
