import { type DialDeps, dial } from './dial.ts';
import { HandshakeRefused, shakeHands } from './handshake.ts';
import { generateLinkKey } from './noise/keys.ts';
import { type LinkPartner, noRotations } from './types.ts';

/**
 * Goes through the authenticated handshake of a link and hangs up before anything is said: whether the partner takes
 * our signing key, and proves a pinned one of its own. A link that there is goes on. Gives why it came to nothing, or
 * undefined. Never rejects.
 */
export async function knock(
  deps: Omit<DialDeps, 'rotations'> & { readonly software: string },
  partner: LinkPartner,
  url: string,
): Promise<string | undefined> {
  const { serverName, signingKey, clock, random, limits, subprotocols, software } = deps;
  try {
    const { channel, subprotocol } = await dial(
      { ...deps, rotations: noRotations },
      partner,
      url,
      new AbortController().signal,
    );
    const timer = clock.setTimer(limits.handshakeMs, () => channel.terminate());
    // The signing key vouches for it within this handshake, so one of the moment is as good as any.
    const staticKey = generateLinkKey(random);
    try {
      await shakeHands(channel, {
        role: 'dialler',
        own: { serverName, signingKey, linkPublicKey: staticKey.publicKey, features: [], limits, software },
        staticKey,
        partner,
        subprotocol,
        offers: subprotocols,
        clock,
        random,
      });
      return undefined;
    } finally {
      timer.cancel();
      channel.terminate();
    }
  } catch (error) {
    if (error instanceof HandshakeRefused && error.reason === 'unpinned-key')
      return 'whoever answers does not hold a pinned key of this partner';
    return error instanceof Error ? error.message : String(error);
  }
}
