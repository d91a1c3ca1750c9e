import { readFile } from 'node:fs/promises';
import type { Config, PartnerConfig } from '../../config/config.ts';
import { knock } from '../../federation/link/knock.ts';
import { defaultLinkLimits } from '../../federation/link/limits.ts';
import { type Probe, probe } from '../../federation/link/probe.ts';
import { linkSubprotocol } from '../../federation/link/upgrade-request.ts';
import { PartnerRegistry } from '../../federation/partners/registry.ts';
import type { Clock, Random } from '../../protocol/runtime.ts';
import type { SigningKey } from '../../protocol/signing.ts';
import { version } from '../version.ts';

/** How a partner is reached by one of its URLs. */
export interface OnlineFinding {
  readonly partner: PartnerConfig;
  readonly status: 'ok' | 'warning' | 'error';
  /** One line. */
  readonly message: string;
}

/** Each step towards one URL has so long; there are four. */
const timeoutMs = 4_000;
const atOnce = 32;
const dayMs = 24 * 3_600_000;
const clockWarnMs = 60_000;
const certificateWarnDays = 14;

/**
 * Dials every URL of every active partner as far as the authenticated handshake, and hangs up. Without a signing key
 * (before the first start) as far as the door. Never rejects, and takes sixteen seconds at most for each 32 URLs.
 */
export async function checkOnline(
  config: Config,
  deps: { readonly clock: Clock; readonly random: Random; readonly signingKey: SigningKey | undefined },
): Promise<OnlineFinding[]> {
  const { serverName } = config;
  const registry = new PartnerRegistry({ serverName, clock: deps.clock, partners: config.partners });
  const tasks = config.partners
    .filter((partner) => registry.isActive(partner.serverName))
    .flatMap((partner) => {
      const { urls, dial } = partner.transport;
      if (dial === 'inbound' || urls.length === 0)
        return [async () => finding(partner, 'ok', 'only they dial, so there is nothing to reach')];
      return urls.map((url) => () => checkUrl(config, registry, deps, partner, url));
    });
  const findings: OnlineFinding[] = [];
  for (let index = 0; index < tasks.length; index += atOnce)
    findings.push(...(await Promise.all(tasks.slice(index, index + atOnce).map((task) => task()))));
  return findings;
}

async function checkUrl(
  { serverName, httpsProxy: proxyUrl }: Config,
  registry: PartnerRegistry,
  { clock, random, signingKey }: Parameters<typeof checkOnline>[1],
  partner: PartnerConfig,
  url: string,
): Promise<OnlineFinding> {
  const { allowPrivateIp, tls } = partner.transport;
  const ca = tls.caPath === undefined ? undefined : await readFile(tls.caPath, 'utf8').catch(() => undefined);
  const found = await probe({ url, allowPrivateIp, ca, proxyUrl, timeoutMs }, () => clock.now());
  const failure = failureOf(found);
  if (failure !== undefined) return finding(partner, 'error', `${url}: ${failure}`);
  const entry = registry.get(partner.serverName);
  if (signingKey !== undefined && entry !== undefined) {
    const limits = { ...defaultLinkLimits, handshakeMs: timeoutMs };
    const subprotocols = [linkSubprotocol];
    const software = `Archipelago/${version}`;
    const reason = await knock(
      { serverName, signingKey, clock, random, limits, proxyUrl, subprotocols, software },
      entry,
      url,
    );
    if (reason !== undefined) return finding(partner, 'error', `${url}: no handshake: ${reason}`);
  }
  const shaken =
    signingKey === undefined ? 'handshake not tried, since there is no signing key yet' : 'handshake done';
  const said = [...remarks(found, clock.now()), shaken].join(', ');
  return finding(partner, isWorrying(found, clock.now()) ? 'warning' : 'ok', `${url}: ${said}`);
}

function failureOf({ host, failure, status }: Probe): string | undefined {
  if (failure?.at === 'name') return `the name ${host} cannot be resolved: ${failure.reason}`;
  if (failure?.at === 'tls') return `its certificate is not believed here: ${failure.reason}`;
  if (failure !== undefined) return failure.reason;
  return status === 426 ? undefined : `answers ${status}, and an island says 426`;
}

function remarks({ addresses, certificate, clockAheadMs, connectMs }: Probe, now: number): string[] {
  const seconds = Math.round((clockAheadMs ?? 0) / 1000);
  return [
    ...(addresses === undefined ? [] : [addresses.join(' ')]),
    `reached in ${connectMs} ms`,
    ...(certificate === undefined
      ? []
      : [`certificate good for ${Math.floor((certificate.validUntil - now) / dayMs)} days`]),
    ...(clockAheadMs === undefined
      ? []
      : [
          Math.abs(seconds) <= 1
            ? 'clocks agree'
            : `their clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}`,
        ]),
  ];
}

function isWorrying({ certificate, clockAheadMs = 0 }: Probe, now: number): boolean {
  const left = certificate === undefined ? Number.POSITIVE_INFINITY : certificate.validUntil - now;
  return Math.abs(clockAheadMs) > clockWarnMs || left < certificateWarnDays * dayMs;
}

function finding(partner: PartnerConfig, status: OnlineFinding['status'], message: string): OnlineFinding {
  return { partner, status, message };
}
