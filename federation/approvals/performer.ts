import type { Logger } from 'pino';
import { serverNameOf } from '../../protocol/identifiers.ts';
import { RoomError, TryAgain } from '../../rooms/errors.ts';
import { InvitationHeld } from '../../rooms/membership/held.ts';
import { RemoteError } from '../../rooms/ports.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { LinkRemoteRooms } from '../remote-rooms.ts';
import type { Approval, Approvals } from './approvals.ts';

/**
 * Does what was decided: sends invitations of ours, and tells partners that theirs may come again. What a link is
 * needed for is done when it is up; what was decided before a crash is done after it.
 */
export class ApprovalPerformer {
  readonly #approvals: Approvals;
  readonly #engine: RoomEngine;
  readonly #remote: Pick<LinkRemoteRooms, 'sayApproved' | 'isReachable'>;
  readonly #log: Logger;
  readonly #running = new Map<string, Promise<void>>();
  readonly #unsubscribe: () => void;
  #isStopped = false;

  constructor(deps: {
    approvals: Approvals;
    engine: RoomEngine;
    remote: Pick<LinkRemoteRooms, 'sayApproved' | 'isReachable'>;
    log: Logger;
  }) {
    this.#approvals = deps.approvals;
    this.#engine = deps.engine;
    this.#remote = deps.remote;
    this.#log = deps.log;
    this.#unsubscribe = this.#approvals.onChange((approval) => this.#begin(approval));
  }

  /** The link to a partner is up: what waited for it is done. */
  up(partner: string): void {
    for (const approval of this.#approvals.toPerform())
      if (partnerOf(approval) === partner) this.#begin(approval);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe();
    await this.idle();
  }

  #begin(approval: Approval): void {
    const { approvalId, state, invitation, isTold } = approval;
    const isDue =
      invitation.direction === 'outbound'
        ? state === 'approved' || state === 'again'
        : state === 'approved' && !isTold;
    if (!isDue || this.#isStopped || this.#running.has(approvalId)) return;
    if (!this.#remote.isReachable(partnerOf(approval))) return;
    const run = (invitation.direction === 'outbound' ? this.#send(approval) : this.#say(approval))
      .catch((err: unknown) =>
        this.#log.error({ err, approvalId }, 'an approved invitation could not be sent'),
      )
      .finally(() => this.#running.delete(approvalId));
    this.#running.set(approvalId, run);
  }

  async #send({ approvalId, invitation }: Approval): Promise<void> {
    const { roomId, inviter, invitee, reason, isDirect } = invitation;
    const membership = (await this.#engine.view(roomId))?.membership(invitee);
    // Sent before a crash, or by hand meanwhile.
    if (membership === 'invite' || membership === 'join') return this.#approvals.ended(invitation);
    try {
      await this.#engine.invite(inviter, roomId, invitee, { reason, isDirect });
    } catch (error) {
      // The partner, or since then our own policy, wants to be asked first: it is in the queue again.
      if (error instanceof InvitationHeld) return;
      if (passes(error)) {
        this.#log.info({ err: error, approvalId }, 'an approved invitation waits for the link');
        return;
      }
      if (!(error instanceof RoomError)) throw error;
      await this.#approvals.ended(invitation, error.message);
    }
  }

  async #say({ approvalId, invitation }: Approval): Promise<void> {
    try {
      await this.#remote.sayApproved(invitation);
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      if (error.kind === 'unreachable') return;
      // A server that does not know this: the next invitation that somebody there sends passes.
      this.#log.info({ err: error, approvalId }, 'a partner could not be told of an approval');
    }
    await this.#approvals.told(approvalId);
  }
}

function partnerOf({ invitation }: Approval): string {
  return serverNameOf(invitation.direction === 'outbound' ? invitation.invitee : invitation.inviter);
}

/** Something that may be otherwise when the link is up again. */
function passes(error: unknown): boolean {
  if (error instanceof TryAgain) return true;
  return error instanceof RoomError && error.status >= 500;
}
