// An upstream that lets oauth4webapi judge what it is shown: an access token
// of its issuer, for itself, and, when it is bound, a proof with a nonce of
// ours. It answers every call with what it found. It announces {"url": …} on
// stdout and serves until stdin closes.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';

const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { audience } = JSON.parse(line);
let issuer; // told later, because the issuer is told of this server first
const options = { [oauth.allowInsecureRequests]: true };
const nonce = crypto.randomUUID();

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const base = `http://127.0.0.1:${server.address().port}`;

async function judge(request) {
  const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), options));
  const claims = await oauth.validateJwtAccessToken(as, request, audience, options);
  if (!claims.cnf) return { claims };
  const proof = decodeJwt(request.headers.get('dpop'));
  return { claims, nonce: proof.nonce === nonce };
}

server.on('request', async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  if (incoming.url === '/issuer') {
    issuer = Buffer.concat(chunks).toString();
    outgoing.writeHead(204).end();
    return;
  }
  const request = new Request(base + incoming.url, { method: incoming.method, headers: Object.entries(incoming.headers) });
  let found;
  try {
    found = await judge(request);
  } catch (error) {
    outgoing.writeHead(401, { 'www-authenticate': 'DPoP error="invalid_token"' }).end(`${error}`);
    return;
  }
  if (found.nonce === false) {
    outgoing.writeHead(401, { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': nonce }).end();
    return;
  }
  const text = JSON.stringify({ ...found, scheme: incoming.headers.authorization.split(' ')[0], headers: incoming.rawHeaders });
  const body = { jsonrpc: '2.0', id: 7, result: { resultType: 'complete', content: [{ type: 'text', text }] } };
  outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
process.stdout.write(`${JSON.stringify({ url: `${base}/mcp` })}\n`);
