import type { Clock } from '../../protocol/runtime.ts';
import type { AuditEvent } from '../../storage/audit/chain.ts';
import { MergedLines } from '../../storage/audit/merged-lines.ts';

const windowMs = 60_000;

/** The lines that people's own accounts leave in the audit log. Never what they typed. */
export class AccountLines {
  readonly #failures: MergedLines;

  constructor(deps: { record: (event: AuditEvent) => void; clock: Clock }) {
    this.#failures = new MergedLines({ ...deps, windowMs });
  }

  logIn(userId: string, device: { deviceId: string; isNew: boolean; remoteAddress: string }): AuditEvent {
    const { deviceId, isNew, remoteAddress } = device;
    const detail = { device: deviceId, new_device: isNew, address: remoteAddress };
    return byThemselves('user.login', userId, detail);
  }

  /** `userId` is absent where there is no such user: a password typed into the wrong field must not stand here. */
  logInFailed(userId: string | undefined, remoteAddress: string): void {
    const kind = { action: 'user.login', outcome: 'denied', actor: 'anonymous' } as const;
    const subject = userId === undefined ? {} : { subject: userId };
    this.#failures.add({ ...kind, ...subject, detail: { address: remoteAddress } }, kind);
  }

  /** A wrong password where a logged-in user was asked for it again. */
  confirmFailed(userId: string): void {
    const kind = { action: 'user.confirm', outcome: 'denied' } as const;
    this.#failures.add({ ...kind, actor: userId, subject: userId }, { ...kind, actor: 'anonymous' });
  }

  logOut(userId: string, devices: readonly string[] | 'all'): AuditEvent {
    return byThemselves('user.logout', userId, { devices: devices === 'all' ? devices : [...devices] });
  }

  register(
    userId: string,
    how: { remoteAddress: string; admin: boolean; sharedSecret: boolean },
  ): AuditEvent {
    const { remoteAddress, admin, sharedSecret } = how;
    const detail = { address: remoteAddress, admin, shared_secret: sharedSecret };
    return byThemselves('user.register', userId, detail);
  }

  changePassword(userId: string, devices: number): AuditEvent {
    return byThemselves('user.change-password', userId, { sessions: devices });
  }

  deactivate(userId: string): AuditEvent {
    return byThemselves('user.deactivate', userId, {});
  }

  /** Writes the counts that are not written yet. */
  flush(): void {
    this.#failures.end();
  }
}

function byThemselves(action: string, userId: string, detail: AuditEvent['detail'] & object): AuditEvent {
  return { action, outcome: 'done', actor: userId, subject: userId, detail };
}
