// npm oidc-provider as a provider that people sign in at: it asks for a name on
// a page of its own, and then lets every client through. Clients are native, so
// that their loopback callbacks may have any port. It announces {"issuer": …} on
// stdout and serves until stdin closes.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { randomBytes } from 'node:crypto';
import { Provider } from 'oidc-provider';

console.log = console.info = console.error;
const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { client, accounts, claims, acrs } = JSON.parse(line);

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

// quiet: nobody is asked what a client may have.
async function loadExistingGrant(ctx) {
  const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
  grant.addOIDCScope(Object.keys(claims).join(' '));
  await grant.save();
  return grant;
}

const provider = new Provider(issuer, {
  clients: [{ ...client, application_type: 'native', response_types: ['code'], grant_types: ['authorization_code'] }],
  cookies: { keys: [randomBytes(32).toString('hex')] },
  scopes: Object.keys(claims),
  claims: { acr: null, auth_time: null, iss: null, sid: null, ...claims },
  acrValues: acrs,
  findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId, ...accounts[accountId] }) }),
  interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
  features: { devInteractions: { enabled: false } },
  loadExistingGrant,
});

function page(action) {
  return `<!doctype html><html lang="en"><title>The other provider</title>
<form method="post" action="${action}"><label>Account <input name="account" autofocus></label><label>Class <input name="acr"></label>
<button name="answer" value="yes">Sign in</button><button name="answer" value="no">Cancel</button></form></html>`;
}

async function interact(request, response) {
  const { prompt } = await provider.interactionDetails(request, response);
  if (prompt.name === 'consent') { // of native clients it is always asked
    await provider.interactionFinished(request, response, { consent: {} }, { mergeWithLastSubmission: true });
    return;
  }
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(page(request.url));
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  const login = { accountId: form.get('account'), acr: form.get('acr') || undefined, remember: true };
  const result = form.get('answer') === 'no' ? { error: 'access_denied', error_description: 'said no' } : { login };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const callback = provider.callback();
server.on('request', (request, response) => {
  if (request.url.startsWith('/interaction/')) interact(request, response).catch(error => response.writeHead(500).end(String(error)));
  else callback(request, response);
});
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
