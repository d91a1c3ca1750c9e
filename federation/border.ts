import { decide } from '../policy/decide.ts';
import type { Decision } from '../policy/decision.ts';
import type { Shared } from '../policy/partner-policy.ts';
import { mayShare } from '../policy/rules/share.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { Clock } from '../protocol/runtime.ts';
import type { Border } from '../rooms/ports.ts';
import type { PartnerRegistry } from './partners.ts';

/** The border's rules, asked with the facts of this moment. */
export class PartnerBorder implements Border {
  readonly #partners: PartnerRegistry;
  readonly #clock: Clock;

  constructor(partners: PartnerRegistry, clock: Clock) {
    this.#partners = partners;
    this.#clock = clock;
  }

  /** Users of one server may always invite each other; between servers the partner's policy decides. */
  mayInvite(from: string, to: string): Decision {
    const { serverName } = this.#partners;
    const outbound = serverNameOf(from) === serverName;
    const [local, remote] = outbound ? [from, to] : [to, from];
    const remoteServer = serverNameOf(remote);
    if (remoteServer === serverName) return this.mayAsk(serverName);
    return decide(
      this.#partners,
      {
        action: 'invite',
        direction: outbound ? 'outbound' : 'inbound',
        remoteServer,
        local: { userId: local, departments: [] },
        remote: [remote],
        isApproved: false,
      },
      this.#clock.now(),
    );
  }

  mayTalkTo(serverName: string): boolean {
    return serverName === this.#partners.serverName || this.#partners.isActive(serverName);
  }

  /** May that server send requests to us at all? */
  mayAsk(remoteServer: string): Decision {
    return decide(this.#partners, { action: 'talk', direction: 'inbound', remoteServer }, this.#clock.now());
  }

  mayShare(serverName: string, what: Shared): boolean {
    const partner = this.#partners.get(serverName);
    return partner !== undefined && this.#partners.isActive(serverName) && mayShare(partner, what).allowed;
  }

  /** `outbound`: they fetch a file of ours. */
  mayTransferFiles(remoteServer: string, direction: 'outbound' | 'inbound'): Decision {
    return decide(
      this.#partners,
      { action: 'file', direction, remoteServer, remote: [], file: {} },
      this.#clock.now(),
    );
  }
}
