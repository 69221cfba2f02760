// A real provider of OpenID Connect, on loopback, for tests: who signs in is the `login_hint` of the request.
// Whoever runs it tells it, a line of JSON each on its input, where to send people back, who is in which groups, and when
// to change its keys; it answers each line with one.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const said = { redirects: [], groups: {} };
let provider;
let handle;
const server = createServer((request, response) => handle(request, response));

function key() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: crypto.randomUUID() };
}

function make(keys) {
  const base = `http://127.0.0.1:${server.address().port}`;
  provider = new Provider(base, {
    clients: [{
      client_id: 'barograph',
      client_secret: 'a secret: of/tests%',
      redirect_uris: said.redirects,
      post_logout_redirect_uris: said.redirects.map((uri) => uri.replace('/oidc/callback', '/sign-in')),
    }],
    jwks: { keys },
    cookies: { keys: ['tests'] },
    pkce: { required: () => true },
    scopes: ['openid', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({
        sub,
        preferred_username: sub.split('|').pop(),
        email: `${sub}@example.org`,
        email_verified: true,
        groups: said.groups[sub] ?? [],
      }),
    }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  handle = async (request, response) => {
    if (!request.url.startsWith('/interaction/')) return answer(request, response);
    const { params } = await provider.interactionDetails(request, response);
    const login = { accountId: params.login_hint };
    return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  };
}

server.listen(0, '127.0.0.1', () => {
  make([key()]);
  console.log(JSON.stringify({ port: server.address().port }));
  createInterface({ input: process.stdin }).on('line', (line) => {
    const told = JSON.parse(line);
    Object.assign(said.groups, told.groups ?? {});
    if (told.redirects) said.redirects = told.redirects;
    if (told.redirects || told.rotate) make([key()]);
    console.log('{}');
  }).on('close', () => process.exit(0));
});
