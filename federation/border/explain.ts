import { decide } from '../../policy/decide.ts';
import { allOf, type Decision } from '../../policy/decision.ts';
import type { FileFacts, Question } from '../../policy/question.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { ToldRoom } from '../../rooms/ports.ts';
import type { PartnerRegistry } from '../partners/registry.ts';
import type { ExplainedAction } from './explained-actions.ts';
import type { BorderRoom } from './facts.ts';
import type { BorderQuestions } from './questions.ts';

/** Something that somebody might do, with what is known of it. One of the two people is ours. */
export interface Deed {
  readonly from: string;
  readonly to: string;
  readonly action: ExplainedAction;
  /** Absent: one is imagined, where it needs one. */
  readonly room?: BorderRoom | undefined;
  readonly eventType?: string | undefined;
  readonly file: FileFacts;
  readonly isEncrypted: boolean;
  /** Whether the two servers have people in one room, seen from the one of ours. */
  readonly sharesRoom: boolean;
}

export interface Explanation {
  readonly decision: Decision;
  /** What was taken for granted, in sentences. */
  readonly assumed: readonly string[];
}

/** What the border would say, by the same questions and the same rules as if it were done. */
export function explainDeed(
  { partners, questions, now }: { partners: PartnerRegistry; questions: BorderQuestions; now: number },
  deed: Deed,
): Explanation {
  const { serverName } = partners;
  const isOurs = (userId: string): boolean => serverNameOf(userId) === serverName;
  if (isOurs(deed.from) && isOurs(deed.to))
    return {
      decision: { allowed: true },
      assumed: ['Both are of this server: no border lies between them.'],
    };
  const isOutbound = isOurs(deed.from);
  // A room may hold servers of which nothing is asked, since nothing of ours is sent to them.
  const talk = questions.talk(serverNameOf(isOutbound ? deed.to : deed.from));
  const asked = isOutbound ? outbound(questions, deed) : inbound(questions, deed);
  return {
    decision: allOf(...[talk, ...asked].map((question) => decide(partners, question, now))),
    assumed: assumptions(deed, serverName),
  };
}

function outbound(questions: BorderQuestions, deed: Deed): Question[] {
  const { from, to, action, file } = deed;
  const remoteServer = serverNameOf(to);
  switch (action) {
    case 'message':
      return questions.send(roomOf(deed, from), { type: typeOf(deed), sender: from, content: {} }, undefined);
    case 'file':
      // The message that carries it, and their fetching of it.
      return [
        ...questions.send(
          roomOf(deed, from),
          { type: typeOf(deed), sender: from, content: {} },
          deed.isEncrypted ? undefined : file,
        ),
        questions.transfer(remoteServer, 'outbound', file),
      ];
    case 'invite':
      return questions.invite(from, to, deed.room);
    case 'join':
      return questions.join(from, deed.room ?? remoteServer);
    case 'create-room':
      return questions.create({
        creator: from,
        invitees: [to],
        additionalCreators: [],
        state: stateOf(deed).map(([type, content]) => ({ type, stateKey: '', content })),
      });
    case 'profile':
      return [questions.lookUp(from, to)];
    case 'directory':
      return [questions.search(from, to)];
    default:
      return [questions.tell(remoteServer, action, from, roomOf(deed, from))];
  }
}

function inbound(questions: BorderQuestions, deed: Deed): Question[] {
  const { from, to, action, file } = deed;
  const remoteServer = serverNameOf(from);
  switch (action) {
    case 'message':
      return questions.received(roomOf(deed, to), { type: typeOf(deed), sender: from, content: {} }, []);
    case 'file': {
      const content = deed.isEncrypted ? {} : fileContent(file);
      return [
        ...questions.received(roomOf(deed, to), { type: typeOf(deed), sender: from, content }, []),
        questions.transfer(remoteServer, 'inbound', file, to),
      ];
    }
    case 'invite':
      // Of a room that we do not hold, the invitation tells who made it.
      return questions.invite(from, to, deed.room ?? theirRoom(deed));
    case 'join':
      return questions.join(from, deed.room ?? serverNameOf(to));
    case 'create-room':
      return questions.invite(from, to, roomOf(deed, from));
    case 'profile':
      return [questions.profile(remoteServer, to, deed.sharesRoom)];
    case 'directory':
      return [questions.search(from, to)];
    default:
      return [questions.hear(remoteServer, action, from, roomOf(deed, to))];
  }
}

function theirRoom({ from, isEncrypted }: Deed): ToldRoom {
  return { roomId: 'a room of theirs', creatorServer: serverNameOf(from), isEncrypted };
}

function typeOf({ action, eventType, isEncrypted }: Deed): string {
  if (isEncrypted) return 'm.room.encrypted';
  return action === 'message' ? (eventType ?? 'm.room.message') : 'm.room.message';
}

function fileContent({ size, mime }: FileFacts): JsonObject {
  const info = { ...(size === undefined ? {} : { size }), ...(mime === undefined ? {} : { mimetype: mime }) };
  return { msgtype: 'm.file', url: 'mxc://imagined/file', info };
}

/** State of a room that a client makes with no wishes of its own, as far as the border looks at it. */
function stateOf({ isEncrypted }: Deed): [string, JsonObject][] {
  return [
    ['m.room.history_visibility', { history_visibility: 'shared' }],
    ...(isEncrypted ? [['m.room.encryption', {}] satisfies [string, JsonObject]] : []),
  ];
}

/** The real room, or one that `creator` made, with nobody in it but the two. */
function roomOf(deed: Deed, creator: string): BorderRoom {
  if (deed.room !== undefined) return deed.room;
  const residents = new Map<string, string[]>();
  for (const userId of [deed.from, deed.to]) residents.set(serverNameOf(userId), [userId]);
  const state = new Map<string, { sender: string; content: JsonObject }>([
    ['m.room.create ', { sender: creator, content: {} }],
    ...[deed.from, deed.to].map((userId): [string, { sender: string; content: JsonObject }] => [
      `m.room.member ${userId}`,
      { sender: userId, content: { membership: 'join' } },
    ]),
    ...stateOf(deed).map(([type, content]): [string, { sender: string; content: JsonObject }] => [
      `${type} `,
      { sender: creator, content },
    ]),
  ]);
  return {
    roomId: 'a room of the two',
    residents: () => residents,
    joinedServers: () => new Set(residents.keys()),
    get: (type, stateKey) => {
      const pdu = state.get(`${type} ${stateKey}`);
      return pdu === undefined ? undefined : { pdu };
    },
    content: (type, stateKey = '') => state.get(`${type} ${stateKey}`)?.content ?? {},
  };
}

function assumptions(deed: Deed, serverName: string): string[] {
  const { action, room, file, isEncrypted } = deed;
  const assumed: string[] = [];
  const needsRoom = ['message', 'file', 'presence', 'typing', 'receipt'].includes(action);
  if (needsRoom && room === undefined)
    assumed.push(
      `A room of ${serverName} with nobody in it but the two, ${isEncrypted ? 'end-to-end encrypted' : 'not encrypted'} (--room names a real one).`,
    );
  if (action === 'create-room')
    assumed.push(
      `A private room that is ${isEncrypted ? 'end-to-end encrypted' : 'not encrypted'}, history shared.`,
    );
  const isTold = action === 'invite' && serverNameOf(deed.from) !== serverName;
  if (isTold && room === undefined)
    assumed.push(
      `A room that ${serverNameOf(deed.from)} made, ${isEncrypted ? 'end-to-end encrypted' : 'not encrypted'}.`,
    );
  else if ((action === 'invite' || action === 'join') && room === undefined)
    assumed.push('Nothing is known of the room (--room names one that this island holds).');
  if (action === 'message' && !isEncrypted && deed.eventType === undefined)
    assumed.push('An event of type m.room.message (--event-type).');
  if (action === 'file' && file.size === undefined) assumed.push('A file of any size (--size).');
  if (action === 'file' && file.mime === undefined)
    assumed.push('A file of a type that is allowed (--mime).');
  if (action === 'profile' && serverNameOf(deed.to) === serverName)
    assumed.push(
      deed.sharesRoom
        ? 'The two servers share a room with this person.'
        : 'No room is shared with this person.',
    );
  return assumed;
}
