import type { Logger } from 'pino';
import type { Approval, Approvals } from '../../federation/approvals/approvals.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { LocalNotices } from './local-notices.ts';
import { texts } from './texts.ts';

export interface ApprovalNoticesDeps {
  readonly approvals: Approvals;
  readonly engine: RoomEngine;
  readonly notices: LocalNotices;
  /** As whom the server speaks. */
  readonly sender: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Says in the room what becomes of an invitation of ours that is held: it is there that the inviter waits. Partners see
 * nothing of it. What a crash kept from being said is said at the next start.
 */
export class ApprovalNotices {
  readonly #deps: ApprovalNoticesDeps;
  #unsubscribe: (() => void) | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(deps: ApprovalNoticesDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { approvals } = this.#deps;
    this.#unsubscribe = approvals.onChange((approval) => this.#tell(approval));
    for (const approval of await approvals.list({ isAll: true })) this.#tell(approval);
  }

  /** Resolves when what has happened so far is said. */
  idle(): Promise<void> {
    return this.#last;
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    await this.#last;
  }

  #tell(approval: Approval): void {
    const body = textOf(approval);
    if (body === undefined) return;
    const { log } = this.#deps;
    this.#last = this.#last.then(() =>
      this.#add(approval, body).catch((err: unknown) =>
        log.error({ err, approvalId: approval.approvalId }, 'a room could not be told of a held invitation'),
      ),
    );
  }

  async #add({ approvalId, state, createdTs, invitation }: Approval, body: string): Promise<void> {
    const { engine, notices, sender, clock } = this.#deps;
    const { roomId, invitee } = invitation;
    const room = await engine.view(roomId);
    if (room === undefined) return;
    const content = {
      msgtype: 'm.notice',
      body,
      'org.archipelago.notice': { type: 'org.archipelago.invitation', state, id: approvalId, invitee },
    };
    const notice = { roomNid: room.roomNid, roomId, content };
    await notices.add(`approval ${approvalId} ${createdTs} ${state}`, [notice], { sender, now: clock.now() });
  }
}

/** Nothing where the room itself shows what happened. */
function textOf({ approvalId, state, invitation }: Approval): string | undefined {
  const { direction, invitee } = invitation;
  if (direction === 'inbound') return undefined;
  switch (state) {
    case 'waiting':
      return texts.invitationWaits(invitee, approvalId);
    case 'elsewhere':
      return texts.invitationWaitsThere(invitee, serverNameOf(invitee));
    case 'denied':
      return texts.invitationDenied(invitee);
    case 'failed':
      return texts.invitationFailed(invitee);
    case 'expired':
      return texts.invitationExpired(invitee);
    default:
      return undefined;
  }
}
