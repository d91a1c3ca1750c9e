import type { RoomEvent } from '../event.ts';

/** The state against which an event is judged. */
export interface StateLookup {
  get(type: string, stateKey: string): RoomEvent | undefined;
}

/** What the rules ask and no state tells. */
export interface AuthExtra {
  /** Whether the event carries a valid signature of that server (rule 4.2, in version 12 rule 5.2). */
  isSignedBy(serverName: string): boolean;
}
