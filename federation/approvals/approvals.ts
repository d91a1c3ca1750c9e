import type { Logger } from 'pino';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { HeldInvitations, Invitation, Standing } from '../../rooms/ports.ts';
import type { AuditEvent } from '../../storage/audit/chain.ts';
import type { Database } from '../../storage/database.ts';
import type { WriteOp } from '../../storage/write-set.ts';
import {
  type Approval,
  approvalIdOf,
  approvalOf,
  endOf,
  openStates,
  recordOf,
  rememberedStates,
  standingOf,
} from './approval.ts';

/** So many invitations of one partner, or of one person of ours, wait at a time. */
const maxWaiting = 100;

/** A decision was refused; the message is for the admin. */
export class ApprovalRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ApprovalRefused';
  }
}

/** Told of each step after it is on disk. A listener must not throw. */
export type ApprovalListener = (approval: Approval) => void;

interface Deps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Invitations that wait for somebody's word. In memory, since each invitation asks; every step is on disk, with its
 * line in the audit log, before it is in effect: one that was decided is performed after a crash too.
 */
export class Approvals implements HeldInvitations {
  readonly #deps: Deps;
  readonly #approvals: Map<string, Approval>;
  readonly #listeners = new Set<ApprovalListener>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: Deps, approvals: readonly Approval[]) {
    this.#deps = deps;
    this.#approvals = new Map(approvals.map((approval) => [approval.approvalId, approval]));
  }

  static async load(deps: Deps): Promise<Approvals> {
    const records = await deps.db.approvals.inStates([...openStates, ...rememberedStates]);
    return new Approvals(deps, records.map(approvalOf));
  }

  /** What was decided about this invitation: same room, same inviter, same invitee. */
  standing(invitation: Invitation): Standing {
    // Nearly always there are none at all.
    if (this.#approvals.size === 0) return 'none';
    return standingOf(this.#approvals.get(approvalIdOf(invitation)), this.#deps.clock.now());
  }

  /** Was it let through not long ago? The event comes by another way, and later, than the request that was signed. */
  wasLetThrough(invitation: Invitation): boolean {
    const approval = this.#approvals.get(approvalIdOf(invitation));
    if (approval === undefined || this.#isOver(approval)) return false;
    return approval.state === 'approved' || approval.state === 'done';
  }

  onChange(listener: ApprovalListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Those that are under way; all that are remembered with `isAll`. Oldest first. */
  async list(options: { readonly isAll?: boolean } = {}): Promise<Approval[]> {
    await this.#expire();
    return [...this.#approvals.values()]
      .filter(({ state }) => options.isAll === true || openStates.includes(state))
      .sort((one, other) => one.createdTs - other.createdTs || (one.approvalId < other.approvalId ? -1 : 1));
  }

  /** In a state that somebody has to act on: approved, or to be sent again. */
  toPerform(): Approval[] {
    return [...this.#approvals.values()].filter(
      (approval) => (approval.state === 'approved' || approval.state === 'again') && !this.#isOver(approval),
    );
  }

  hold(
    invitation: Invitation,
    waitsFor: 'us' | 'them',
  ): Promise<{ readonly id: string; readonly waitsFor: 'us' | 'them' } | undefined> {
    return this.#inTurn(async () => {
      const approvalId = approvalIdOf(invitation);
      const known = this.#live(approvalId);
      // Our word was given before they were asked.
      if (waitsFor === 'us' && known !== undefined && isHeld(known))
        return { id: approvalId, waitsFor: known.state === 'waiting' ? 'us' : 'them' };
      if (waitsFor === 'them' && known?.state === 'elsewhere') return { id: approvalId, waitsFor };
      if (known === undefined && this.#isFull(invitation)) {
        this.#deps.log.warn(
          { roomId: invitation.roomId, inviter: invitation.inviter, direction: invitation.direction },
          'too many invitations wait for approval: another one is not kept',
        );
        return undefined;
      }
      const hasWord = known !== undefined && openStates.includes(known.state);
      const approval: Approval = {
        approvalId,
        invitation,
        state: waitsFor === 'us' ? 'waiting' : 'elsewhere',
        createdTs: this.#deps.clock.now(),
        decidedTs: hasWord ? known.decidedTs : undefined,
        decidedBy: hasWord ? known.decidedBy : undefined,
        isTold: false,
      };
      const { inviter } = invitation;
      await this.#put(approval, { action: 'approval.ask', actor: inviter, detail: { waits_for: waitsFor } });
      return { id: approvalId, waitsFor };
    });
  }

  /** Decides one that waits. Throws {@link ApprovalRefused} for one that does not. */
  decide(approvalId: string, word: 'approved' | 'denied', by: string): Promise<Approval> {
    return this.#inTurn(async () => {
      const known = this.#live(approvalId);
      if (known === undefined)
        throw new ApprovalRefused(`No invitation waits under the number ${approvalId}`);
      if (known.state !== 'waiting')
        throw new ApprovalRefused(`The invitation ${approvalId} waits no more: it is ${known.state}`);
      const action = word === 'approved' ? 'approval.approve' : 'approval.deny';
      const approval: Approval = {
        ...known,
        state: word,
        decidedTs: this.#deps.clock.now(),
        decidedBy: by,
        isTold: false,
      };
      await this.#put(approval, { action, actor: by });
      return approval;
    });
  }

  /** A partner says that it lets an invitation of ours in now. False: it holds none of that kind. */
  approvedElsewhere(invitation: Invitation): Promise<boolean> {
    return this.#inTurn(async () => {
      const known = this.#live(approvalIdOf(invitation));
      if (known?.state !== 'elsewhere') return false;
      const actor = serverNameOf(invitation.invitee);
      await this.#put({ ...known, state: 'again' }, { action: 'approval.again', actor });
      return true;
    });
  }

  /** The partner knows that its invitation is approved, or cannot be told. */
  told(approvalId: string): Promise<void> {
    return this.#inTurn(async () => {
      const known = this.#live(approvalId);
      if (known?.state !== 'approved' || known.isTold) return;
      const approval = { ...known, isTold: true };
      await this.#deps.db.writer.submit({
        label: 'approval',
        ops: this.#deps.db.approvals.put(recordOf(approval)),
      });
      this.#approvals.set(approvalId, approval);
    });
  }

  /** An invitation of ours went out, or it cannot: `failure` says why. */
  ended(invitation: Invitation, failure?: string): Promise<void> {
    // Without anything held this costs nothing.
    if (this.#approvals.size === 0) return Promise.resolve();
    return this.#inTurn(async () => {
      const known = this.#live(approvalIdOf(invitation));
      if (known === undefined || !openStates.includes(known.state)) return;
      const approval: Approval = { ...known, state: failure === undefined ? 'done' : 'failed' };
      const { inviter } = invitation;
      await this.#put(approval, {
        action: 'approval.perform',
        actor: inviter,
        ...(failure === undefined ? {} : { outcome: 'failed', detail: { error: failure } }),
      });
    });
  }

  use(invitation: Invitation): { readonly ops: readonly WriteOp[]; done(): void } {
    const known = this.#live(approvalIdOf(invitation));
    if (known?.state !== 'approved') return { ops: [], done: () => undefined };
    const approval: Approval = { ...known, state: 'done', isTold: true };
    return {
      ops: this.#deps.db.approvals.put(recordOf(approval)),
      done: () => {
        this.#approvals.set(approval.approvalId, approval);
        this.#deps.db.audit.record(
          eventOf(approval, { action: 'approval.perform', actor: invitation.inviter }),
        );
        this.#tell(approval);
      },
    };
  }

  #isFull({ direction, inviter }: Invitation): boolean {
    const owner = direction === 'inbound' ? serverNameOf(inviter) : inviter;
    let waiting = 0;
    for (const { state, invitation } of this.#approvals.values()) {
      if (invitation.direction !== direction || !openStates.includes(state)) continue;
      if ((direction === 'inbound' ? serverNameOf(invitation.inviter) : invitation.inviter) === owner)
        waiting += 1;
    }
    return waiting >= maxWaiting;
  }

  #isOver(approval: Approval): boolean {
    return this.#deps.clock.now() >= endOf(approval);
  }

  #live(approvalId: string): Approval | undefined {
    const known = this.#approvals.get(approvalId);
    return known === undefined || this.#isOver(known) ? undefined : known;
  }

  /** Ends what nobody decided or used in time. */
  #expire(): Promise<void> {
    return this.#inTurn(async () => {
      for (const approval of [...this.#approvals.values()]) {
        if (!this.#isOver(approval)) continue;
        this.#approvals.delete(approval.approvalId);
        if (!openStates.includes(approval.state)) continue;
        const actor = approval.invitation.inviter;
        await this.#put({ ...approval, state: 'expired' }, { action: 'approval.expire', actor });
      }
    });
  }

  async #put(
    approval: Approval,
    line: Pick<AuditEvent, 'action' | 'actor' | 'detail'> & { readonly outcome?: AuditEvent['outcome'] },
  ): Promise<void> {
    const { db } = this.#deps;
    await db.audit.append([eventOf(approval, line)], db.approvals.put(recordOf(approval)));
    const isKept = openStates.includes(approval.state) || rememberedStates.includes(approval.state);
    if (isKept) this.#approvals.set(approval.approvalId, approval);
    else this.#approvals.delete(approval.approvalId);
    this.#tell(approval);
  }

  #tell(approval: Approval): void {
    for (const listener of this.#listeners) listener(approval);
  }

  /** One step after the other: each begins with what the one before it left. */
  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#last.then(step);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

/** Held by us or by them, as opposed to on its way. */
function isHeld({ state, decidedBy }: Approval): boolean {
  return state === 'waiting' || (state === 'elsewhere' && decidedBy !== undefined);
}

function eventOf(
  { approvalId, invitation }: Approval,
  line: Pick<AuditEvent, 'action' | 'actor' | 'detail'> & { readonly outcome?: AuditEvent['outcome'] },
): AuditEvent {
  const { direction, roomId, inviter, invitee } = invitation;
  return {
    outcome: 'done',
    ...line,
    subject: invitee,
    detail: { id: approvalId, direction, room: roomId, inviter, ...line.detail },
  };
}

export type { Approval };
