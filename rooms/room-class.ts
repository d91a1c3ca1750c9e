import { classOf, type RoomClass, roomClassType } from '../policy/room-class.ts';
import type { Pdu } from '../protocol/event.ts';
import { serverNameOf } from '../protocol/identifiers.ts';

/** What is looked at for it. */
interface ClassedRoom {
  get(type: string, stateKey: string): { readonly pdu: Pick<Pdu, 'sender' | 'content'> } | undefined;
}

/**
 * The class of a room as everybody in it reads it. The event names partners of whoever wrote it: that server, and the
 * one that made the room, are those for whom it is as well.
 */
export function classOfRoom(view: ClassedRoom): RoomClass {
  const event = view.get(roomClassType, '');
  const named = classOf(event?.pdu.content ?? {});
  if (event === undefined || named.class !== 'shared') return named;
  const implied = [event, view.get('m.room.create', '')].flatMap((found) =>
    found === undefined ? [] : [serverNameOf(found.pdu.sender)],
  );
  return { ...named, sharedWith: [...new Set([...named.sharedWith, ...implied])] };
}
