import { isIP } from 'node:net';
import type { Config } from '../../config/config.ts';
import type { OwnKeys } from '../../federation/keys/own-keys.ts';
import { isLoopbackHost } from '../../federation/link/private-address.ts';
import { linkPath } from '../../federation/link/upgrade-request.ts';
import { makeCard } from '../../federation/partners/card.ts';
import { defaultPartnerPolicy } from '../../policy/partner-policy.ts';
import { proposalJson } from '../../policy/proposal.ts';
import { version } from '../version.ts';

/** The most that a card has room for. */
const maxUrls = 8;

/**
 * The card of this island, as of `now` (milliseconds). It proposes the policy of `forPartner`, where that is a partner
 * already, else the one of partners about which nothing is said.
 */
export function ownCard(config: Config, own: OwnKeys, now: number, forPartner?: string): string {
  const { serverName, organization, cardLifetimeMs } = config;
  const urls = linkUrls(config);
  const partner = config.partners.find((entry) => entry.serverName === forPartner);
  const policy = partner?.policy ?? config.defaultPolicy ?? defaultPartnerPolicy;
  return makeCard({
    serverName,
    signingKeys: [own.current],
    oldVerifyKeys: own.oldKeys,
    recoveryKey: own.record.recoveryKey,
    policy: proposalJson(policy),
    urls,
    dial: urls.length === 0 ? 'outbound' : 'both',
    software: { name: 'Archipelago', version },
    ...(organization?.name === undefined ? {} : { organization: organization.name }),
    issued: now,
    ...(cardLifetimeMs === undefined ? {} : { expires: now + cardLifetimeMs }),
  });
}

/** Where partners dial this island: `public_baseurl`, else what listens for links. */
export function linkUrls({ serverName, publicBaseurl, listeners }: Config): string[] {
  if (publicBaseurl !== undefined) {
    const url = new URL(linkPath.slice(1), publicBaseurl.replace(/\/*$/, '/'));
    url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:';
    return [url.href];
  }
  const urls = listeners
    .filter(({ resources }) => resources.includes('link'))
    .flatMap(({ port, bindAddresses, tls }) =>
      bindAddresses.map(
        (address) =>
          `${tls === undefined ? 'ws' : 'wss'}://${hostOf(address, serverName)}:${port}${linkPath}`,
      ),
    );
  return [...new Set(urls)].slice(0, maxUrls);
}

/** Whoever listens on every address is reached under the server's name, if it is the name of a host. */
function hostOf(address: string, serverName: string): string {
  if (address === '0.0.0.0' || address === '::') return serverName.replace(/:\d+$/, '');
  return isIP(address) === 6 ? `[${address}]` : address;
}

/** What the partner's admin would run into with these URLs, as a sentence for ours; undefined if nothing. */
export function objectionToUrls(urls: readonly string[]): string | undefined {
  if (urls.length === 0) return 'no listener serves links, so the card has no URL: only this island can dial';
  const parsed = urls.map((url) => new URL(url));
  if (parsed.every(({ hostname }) => isLoopbackHost(hostname)))
    return 'the URL on the card leads to this machine only. For a partner on another one, set public_baseurl first.';
  if (parsed.some(({ protocol, hostname }) => protocol === 'ws:' && !isLoopbackHost(hostname)))
    return 'the URL on the card has no TLS, and partners do not dial that by default. Set public_baseurl to the https:// address of your reverse proxy.';
  return undefined;
}
