import { MatrixError } from '../../http/errors.ts';
import { Reply, type Route, route } from '../../http/route.ts';
import type { ClientApiDeps } from './deps.ts';

type LandingConfig = Pick<ClientApiDeps['config'], 'serverName' | 'publicBaseurl' | 'enableRegistration'>;

/** What stands at the root of the server, for people who open it in a browser. */
export function landingRoutes({ config }: ClientApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/',
      auth: 'none',
      handler: () =>
        new Reply(200, Buffer.from(pageOf(config)), {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Security-Policy':
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
          'Referrer-Policy': 'no-referrer',
          'X-Content-Type-Options': 'nosniff',
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

/** Clients that get by on what this version serves, and where people find them. */
const clients = [
  ['Element', 'https://element.io/download', 'web, Windows, macOS, Linux'],
  ['Cinny', 'https://cinny.in', 'web and desktop'],
  ['FluffyChat', 'https://fluffychat.im', 'Android, iOS, web and desktop'],
  ['nheko', 'https://nheko-reborn.github.io', 'desktop'],
] as const;

function pageOf({ serverName, publicBaseurl, enableRegistration }: LandingConfig): string {
  const name = escapeHtml(serverName);
  const address =
    publicBaseurl === undefined ? 'the address of this page' : `<code>${escapeHtml(publicBaseurl)}</code>`;
  const items = clients.map(([client, url, where]) => `<li><a href="${url}">${client}</a> (${where})</li>`);
  const account = enableRegistration
    ? '<p>No account yet? Make one in the client.</p>'
    : '<p>No account yet, or the password forgotten? The administrator of this server helps.</p>';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${name}: chat server</title>
<style>
  body { font: 1.0625rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 0 auto; padding: 8vh 1.25rem; color: #1d2733; background: #fff; overflow-wrap: break-word; }
  h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; }
  .lead { color: #4d5b6e; margin-top: .4rem; }
  h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; }
  ol, ul { padding-left: 1.4rem; margin: .25rem 0; }
  li { margin: .3rem 0; }
  a { color: #0b5cad; }
  code { background: #eef2f6; padding: .1em .35em; border-radius: 4px; }
  @media (prefers-color-scheme: dark) {
    body { background: #11161d; color: #dce4ee; }
    .lead { color: #a3b2c4; }
    a { color: #7fb8f5; }
    code { background: #222b36; }
  }
</style>
</head>
<body>
<main>
<h1>${name}</h1>
<p class="lead">One company’s own chat server, an Archipelago island. It is running.</p>
<h2>To chat here</h2>
<ol>
<li>Get a Matrix client:
<ul>
${items.join('\n')}
</ul>
</li>
<li>Where it asks for the homeserver, enter ${address}.</li>
<li>Sign in with your user name and password. Others find you as <code>@name:${name}</code>.</li>
</ol>
${account}
</main>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
