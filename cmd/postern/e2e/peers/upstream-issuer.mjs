// npm oidc-provider as the issuer an upstream trusts: it gives the proxy
// tokens in its own name, bound by DPoP with nonces, and, by token exchange
// (RFC 8693), in the name of those who call the proxy. It announces
// {"issuer": …} on stdout and serves until stdin closes.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { randomBytes } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Provider, errors } from 'oidc-provider';

console.log = console.info = console.error;
const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { resource, clients, subjects } = JSON.parse(line);

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const tokens = { scope: 'use', audience: resource, accessTokenTTL: 300, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };

function resourceServer(_ctx, indicator) {
  if (indicator !== resource) throw new errors.InvalidTarget();
  return tokens;
}

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
const key = { ...await crypto.subtle.exportKey('jwk', privateKey), use: 'sig', alg: 'ES256', kid: 'e2e' };
delete key.key_ops;
delete key.ext;
const provider = new Provider(issuer, {
  clients: clients.map(client => ({
    ...client, grant_types: ['client_credentials', exchange], redirect_uris: [], response_types: [], id_token_signed_response_alg: 'ES256',
  })),
  jwks: { keys: [key] },
  scopes: ['use'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
  },
});

// One exchange for each caller's token: a second is an error of the proxy's cache.
const exchanged = new Set();
const subjectKeys = createRemoteJWKSet(new URL(subjects.jwks));

async function subjectOf(parameters) {
  if (parameters.subject_token_type !== accessToken || parameters.requested_token_type !== accessToken) throw new errors.InvalidRequest('types');
  if (parameters.resource !== resource) throw new errors.InvalidTarget();
  const expected = { issuer: subjects.issuer, audience: subjects.audience, typ: 'at+jwt' };
  const { payload } = await jwtVerify(parameters.subject_token, subjectKeys, expected).catch(() => { throw new errors.InvalidGrant('subject_token'); });
  if (exchanged.has(parameters.subject_token)) throw new errors.InvalidRequest('exchanged before');
  exchanged.add(parameters.subject_token);
  if (payload.sub === 'mallory') throw new errors.InvalidTarget();
  return payload.sub;
}

provider.registerGrantType(exchange, async (ctx) => {
  const token = new provider.AccessToken({
    accountId: await subjectOf(ctx.oidc.params), client: ctx.oidc.client, scope: 'use', gty: 'token_exchange',
  });
  token.resourceServer = new provider.ResourceServer(resource, tokens);
  ctx.body = { access_token: await token.save(), issued_token_type: accessToken, token_type: token.tokenType, expires_in: token.expiration };
}, ['subject_token', 'subject_token_type', 'requested_token_type', 'resource', 'scope']);

server.on('request', provider.callback());
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
