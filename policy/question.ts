import type { RoomClass } from './room-class.ts';
import type { Person } from './who.ts';

/** Direction in which something crosses the border, seen from here. */
export type Direction = 'outbound' | 'inbound';

/** A room as far as the rules ask. */
export interface RoomFacts extends RoomClass {
  readonly roomId: string;
  /** The server of whoever made the room. */
  readonly creatorServer: string;
  readonly isEncrypted: boolean;
  /** Servers with a member who is joined or invited, ours included. */
  readonly servers: readonly string[];
  /** Servers for which the room is frozen: somebody else let them in. */
  readonly frozenFor?: readonly string[] | undefined;
}

interface Between {
  readonly direction: Direction;
  /** The server on the other side. */
  readonly remoteServer: string;
  /** What the callback said, where one was asked. */
  readonly verdict?: CallbackVerdict | undefined;
  /** Milliseconds until the partner's quota has room again; absent or 0: it has. */
  readonly quotaMs?: number | undefined;
}

/** What the check of ours that the policy names said of this; `none`: nothing that can be used, or not in time. */
export interface CallbackVerdict {
  readonly decision: 'allow' | 'deny' | 'warn' | 'none';
  readonly reason?: string | undefined;
}

interface People extends Between {
  /** The one of ours; absent where the question is about their side alone. */
  readonly local?: Person | undefined;
  /** Those of ours who would see it, where it is for whoever may: one for whom the partnership is, is enough. */
  readonly audience?: readonly Person[] | undefined;
  /** User ids of theirs whom it concerns. */
  readonly remote: readonly string[];
}

/** A file of a message, or one that is fetched. What is not known is absent. */
export interface FileFacts {
  /** Bytes. */
  readonly size?: number | undefined;
  readonly mime?: string | undefined;
}

/** What a state event would change, as far as a partner's policy speaks of it. */
export interface StateFacts {
  /** Power levels that it would give to people of the partner. */
  readonly remotePower?: Readonly<Record<string, number>> | undefined;
  /** Creators of a new room that are of the partner. */
  readonly remoteCreators?: readonly string[] | undefined;
  readonly historyVisibility?: string | undefined;
  /** It turns end-to-end encryption on. */
  readonly enablesEncryption?: boolean | undefined;
  /** It lets people in whom nobody of the room invited. */
  readonly opensJoins?: boolean | undefined;
  /** The power level that inviting would need, where that changes. */
  readonly inviteLevel?: number | undefined;
  /** The class that the room would get. */
  readonly roomClass?: RoomClass | undefined;
}

/**
 * Everything that the border is ever asked. Plain data: a question that was recorded is answered again, by another
 * policy, with the same functions.
 */
export type Question =
  | ({ readonly action: 'talk' } & Between)
  | ({
      readonly action: 'signature';
      /** The keys of theirs with which an event is signed. */
      readonly keyIds: readonly string[];
    } & Between)
  | ({
      readonly action: 'message';
      readonly room?: RoomFacts | undefined;
      readonly eventType: string;
      /** Whether the event is one that encryption is for, and is not encrypted. */
      readonly isCleartext: boolean;
      readonly file?: FileFacts | undefined;
    } & People)
  | ({
      readonly action: 'state';
      readonly room?: RoomFacts | undefined;
      readonly eventType: string;
      readonly change: StateFacts;
    } & People)
  | ({ readonly action: 'file'; readonly file: FileFacts } & People)
  | ({
      readonly action: 'invite';
      readonly room?: RoomFacts | undefined;
      /** Somebody here has approved this invitation; or has denied it. */
      readonly isApproved: boolean;
      readonly isRefused?: boolean | undefined;
    } & People)
  | ({ readonly action: 'join'; readonly room?: RoomFacts | undefined } & People)
  | ({ readonly action: 'create-room'; readonly change: StateFacts; readonly isEncrypted: boolean } & People)
  | ({
      readonly action: 'third-party';
      readonly room: RoomFacts;
      /** The server that would come in. */
      readonly server: string;
      /** Islands already in the room that said no. */
      readonly refusedBy: readonly string[];
      /** Servers already in the room that were asked and did not answer, or cannot be asked. */
      readonly unanswered?: readonly string[] | undefined;
    } & Between)
  | ({
      readonly action: 'profile';
      /** Whether the partner has somebody in a room with that person, or an invitation from them. */
      readonly sharesRoom: boolean;
    } & People)
  | ({ readonly action: 'directory' | 'presence' | 'typing' | 'receipt' | 'device-names' } & People);
