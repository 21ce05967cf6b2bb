// npm oidc-provider as an issuer Postern has never heard of: DPoP with nonces,
// resource indicators, client credentials; access tokens are JWTs, or opaque
// and told about by introspection. It announces {"issuer": …} on stdout and
// serves until stdin closes.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { randomBytes } from 'node:crypto';
import { Provider, errors } from 'oidc-provider';

console.log = console.info = console.error;
const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { resources, client, checker, scope, format = 'jwt' } = JSON.parse(line);

function resourceServer(_ctx, indicator) {
  if (!resources.includes(indicator)) throw new errors.InvalidTarget();
  return { scope, audience: indicator, accessTokenTTL: 300, accessTokenFormat: format, jwt: { sign: { alg: 'RS256' } } };
}

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [client, checker].filter(Boolean).map((known) => ({
    ...known,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  })),
  scopes: scope.split(' '),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: (_ctx, asking, token) => token.clientId === asking.clientId },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
  },
});
server.on('request', provider.callback());
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
