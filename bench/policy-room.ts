import { type StateKey, stateKeyOf } from '../protocol/event.ts';
import type { JsonObject } from '../protocol/json.ts';
import { roomVersions } from '../protocol/room-versions.ts';
import { Room, type RoomSnapshot } from '../rooms/room.ts';
import type { StoredEvent } from '../rooms/types.ts';

/** A room in memory, as the border finds it: `people` are joined, of which the first made it. */
export function roomOf(serverName: string, people: readonly string[]): Room {
  const [maker = ''] = people;
  const version = roomVersions.get('12');
  if (version === undefined) throw new Error('There is no room version 12');
  const event = (type: string, key: string, sender: string, content: JsonObject): [StateKey, StoredEvent] => [
    stateKeyOf(type, key),
    // Of a stored event the border reads the PDU alone.
    {
      eventId: `$${type}${key}`,
      roomId: '!room',
      pdu: { type, state_key: key, sender, content, signatures: {} },
    } as unknown as StoredEvent,
  ];
  const snapshot = {
    roomNid: 1,
    roomId: '!room',
    version,
    revision: 0,
    tips: [],
    missing: [],
    state: [
      event('m.room.create', '', maker, { room_version: '12' }),
      event('m.room.power_levels', '', maker, { users_default: 0 }),
      ...people.map((userId) => event('m.room.member', userId, userId, { membership: 'join' })),
    ],
    waiting: [],
    heldRedactions: [],
    serverName,
    // Sets of state are for what is built on the room.
    current: {} as RoomSnapshot['current'],
  };
  return new Room(snapshot);
}
