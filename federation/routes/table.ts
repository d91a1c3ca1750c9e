import { admission } from './admission.ts';
import { backfill } from './backfill.ts';
import { drift } from './drift.ts';
import { event } from './event.ts';
import { eventAuth } from './event-auth.ts';
import { getMissingEvents } from './get-missing-events.ts';
import { invite, inviteV1 } from './invite.ts';
import { inviteApproved } from './invite-approved.ts';
import { keyServer } from './key-server.ts';
import { lanes } from './lanes.ts';
import { makeJoin } from './make-join.ts';
import { makeLeave } from './make-leave.ts';
import { mediaDownload } from './media-download.ts';
import { queryDirectory } from './query-directory.ts';
import { queryProfile } from './query-profile.ts';
import type { FederationRoute } from './route.ts';
import { send } from './send.ts';
import { sendJoin, sendJoinV1 } from './send-join.ts';
import { sendLeave, sendLeaveV1 } from './send-leave.ts';
import { state } from './state.ts';
import { stateIds } from './state-ids.ts';
import { version } from './version.ts';

/** Every operation that partners may ask of us; one table for all transports. */
export const federationRoutes: readonly FederationRoute[] = [
  keyServer,
  version,
  lanes,
  admission,
  drift,
  send,
  makeJoin,
  sendJoin,
  sendJoinV1,
  makeLeave,
  sendLeave,
  sendLeaveV1,
  invite,
  inviteV1,
  inviteApproved,
  event,
  state,
  stateIds,
  eventAuth,
  backfill,
  getMissingEvents,
  queryProfile,
  queryDirectory,
  mediaDownload,
];
