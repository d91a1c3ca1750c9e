import type { Decision, Violation } from '../../policy/decision.ts';
import type { RoomContext } from '../context.ts';
import { deniedByBorder, RoomError } from '../errors.ts';
import type { Invitation } from '../ports.ts';

/** An invitation was not sent: it waits for somebody's word, and is sent when that is given. */
export class InvitationHeld extends RoomError {}

/** Is an approval all that is missing? */
export function needsApproval(decision: Decision): boolean {
  return (
    !decision.allowed && decision.violations.every((violation) => violation.code === 'invite_needs_approval')
  );
}

/** Puts an invitation of ours into the queue; gives the refusal that tells the inviter so. */
export async function holdOutbound(
  ctx: RoomContext,
  invitation: Invitation,
  violations: readonly Violation[],
): Promise<RoomError> {
  const held = await ctx.invitations?.hold(invitation, 'us');
  if (held === undefined) return deniedByBorder(violations);
  const where = held.waitsFor === 'us' ? 'here' : 'there';
  return heldError(
    violations.map(({ message, ...rest }) => ({
      ...rest,
      message: `${message}: this one waits ${where} under the number ${held.id}, and is sent when somebody approves it`,
    })),
  );
}

/** The same for one that the invited server holds. */
export async function holdElsewhere(
  ctx: RoomContext,
  invitation: Invitation,
  server: string,
  cause: unknown,
): Promise<RoomError> {
  const held = await ctx.invitations?.hold(invitation, 'them');
  const message =
    held === undefined
      ? `Invitations to ${server} wait for approval there`
      : `Invitations to ${server} wait for approval there: this one is sent again when it is given (number ${held.id})`;
  return heldError([{ code: 'invite_needs_approval', message, rule: `answer of ${server}` }], cause);
}

function heldError(violations: readonly Violation[], cause?: unknown): InvitationHeld {
  const { status, errcode, message, extra } = deniedByBorder(violations);
  return new InvitationHeld(status, errcode, message, extra, cause);
}
