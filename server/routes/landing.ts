import { MatrixError } from '../../http/errors.ts';
import { Reply, type Route, route } from '../../http/route.ts';
import type { ClientApiDeps } from './deps.ts';

/** What stands at the root of the server, for people who open it in a browser. */
export function landingRoutes({ config }: ClientApiDeps): Route[] {
  const page = Buffer.from(pageOf(config.serverName, config.publicBaseurl));
  return [
    route({
      method: 'GET',
      path: '/',
      auth: 'none',
      handler: () =>
        new Reply(200, page, {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
        }),
    }),
  ];
}

/**
 * Federation over HTTPS is not served here: whoever asks, partner or stranger, gets the same answer, the two
 * requests included that need no authentication elsewhere.
 */
export function refuseFederation(path: string): void {
  if (/^\/_matrix\/(?:federation|key|policy)(?:\/|$)/.test(path)) {
    throw new MatrixError(403, 'M_FORBIDDEN', 'This server federates with its partners only');
  }
}

function pageOf(serverName: string, baseUrl: string | undefined): string {
  const name = escapeHtml(serverName);
  const address = baseUrl === undefined ? 'the address of this page' : `<code>${escapeHtml(baseUrl)}</code>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name}</title>
<style>
  body { font: 17px/1.6 system-ui, sans-serif; max-width: 38rem; margin: 10vh auto; padding: 0 1.5rem; color: #1d2733; }
  h1 { font-size: 1.7rem; margin-bottom: 0; }
  p.lead { color: #56657a; margin-top: .3rem; }
  code { background: #eef2f6; padding: .1em .35em; border-radius: 4px; }
  @media (prefers-color-scheme: dark) { body { background: #11161d; color: #dce4ee; } code { background: #222b36; } p.lead { color: #93a4b8; } }
</style>
<h1>${name}</h1>
<p class="lead">An Archipelago island: this company's own Matrix homeserver.</p>
<p>Nothing is broken: people use it with a Matrix client. Any of them works, among them <strong>Element</strong>, <strong>Cinny</strong>, <strong>FluffyChat</strong> and <strong>nheko</strong>.</p>
<p>In the client choose to sign in to another homeserver, and give ${address} as the homeserver. Your user id ends in <code>:${name}</code>.</p>
<p>You have no account, or forgot the password? The administrator of this server helps.</p>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
