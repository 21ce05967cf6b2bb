// openid-client as a machine: a token by client credentials, then MCP calls
// with it, each presented the way the test asks.
import * as oauth from 'openid-client';
import { report } from './input.mjs';

async function token(config, { resource, scope, bound }, handle) {
  const parameters = { resource, ...(scope ? { scope } : {}) };
  const answer = await oauth.clientCredentialsGrant(config, parameters, bound ? { DPoP: handle } : {});
  return answer;
}

const message = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'postern-e2e-machine', version: '1.0.0' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
};

function requestFor({ tool, args }) {
  const body = JSON.stringify({ ...message, params: { ...message.params, name: tool, arguments: args } });
  const headers = new Headers({
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': tool,
  });
  return { body, headers };
}

// present sends one call; openid-client throws on a response with challenges
// it has parsed, and on challenges it cannot parse.
async function present(config, accessToken, call, options) {
  const { body, headers } = requestFor(call);
  try {
    const response = await oauth.fetchProtectedResource(config, accessToken, new URL(call.url), 'POST', body, headers, options);
    return { status: response.status, body: await response.text() };
  } catch (error) {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error;
    return {
      status: error.status,
      challenges: error.cause.map(({ scheme, parameters }) => ({ scheme, parameters })),
      retryAfter: error.response.headers.get('retry-after'),
      body: await error.response.text(),
    };
  }
}

await report(async (input, findings) => {
  const config = await oauth.discovery(
    new URL(input.issuer), input.client.client_id, { client_secret: input.client.client_secret },
    input.method === 'post' ? oauth.ClientSecretPost(input.client.client_secret) : oauth.ClientSecretBasic(input.client.client_secret),
    { execute: [oauth.allowInsecureRequests], algorithm: input.algorithm ?? 'oidc' },
  );
  const handle = oauth.getDPoPHandle(config, await oauth.randomDPoPKeyPair('ES256'));
  findings.calls = {};
  for (const call of input.calls) {
    const answer = await token(config, call, handle);
    const presented = await present(config, answer.access_token, call, call.proof ? { DPoP: handle } : {});
    findings.calls[call.label] = { tokenType: answer.token_type, scope: answer.scope ?? null, ...presented };
  }
});
