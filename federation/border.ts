import type { Decision } from '../policy/decision.ts';
import { mayInvite, mayShare, mayTalk, mayTransferFiles, type Shared } from '../policy/partner-rules.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { Border } from '../rooms/ports.ts';
import type { PartnerRegistry } from './partners.ts';

/** The border's rules, asked with the facts of this moment. */
export class PartnerBorder implements Border {
  readonly #serverName: string;
  readonly #partners: PartnerRegistry;

  constructor(serverName: string, partners: PartnerRegistry) {
    this.#serverName = serverName;
    this.#partners = partners;
  }

  /** Users of one server may always invite each other; between servers the partner's policy decides. */
  mayInvite(from: string, to: string): Decision {
    const outbound = serverNameOf(from) === this.#serverName;
    const facts = this.#partners.factsAbout(serverNameOf(outbound ? to : from));
    if (facts.remoteServer === this.#serverName) return mayTalk(facts);
    return mayInvite({
      ...facts,
      direction: outbound ? 'outbound' : 'inbound',
      localUser: outbound ? from : to,
      remoteUser: outbound ? to : from,
    });
  }

  mayTalkTo(serverName: string): boolean {
    return serverName === this.#serverName || this.#partners.isActive(serverName);
  }

  /** May that server send requests to us at all? */
  mayAsk(serverName: string): Decision {
    return mayTalk(this.#partners.factsAbout(serverName));
  }

  mayShare(serverName: string, what: Shared): boolean {
    return mayShare({ ...this.#partners.factsAbout(serverName), what }).allowed;
  }

  /** `outbound`: they fetch a file of ours. */
  mayTransferFiles(serverName: string, direction: 'outbound' | 'inbound'): Decision {
    return mayTransferFiles({ ...this.#partners.factsAbout(serverName), direction });
  }
}
