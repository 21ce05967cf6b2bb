// Both MCP SDKs as machines that prove themselves with a key (the extension
// io.modelcontextprotocol/oauth-client-credentials): discovery, token, a call.
import * as modern from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { PrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { report } from './input.mjs';

const kits = {
  sdk: { Client, StreamableHTTPClientTransport, PrivateKeyJwtProvider },
  client: modern,
};

await report(async (input, found) => {
  const kit = kits[input.kit];
  const authProvider = new kit.PrivateKeyJwtProvider({
    clientId: input.clientID, privateKey: input.key.secret, algorithm: input.key.alg, expectedIssuer: input.issuer, scope: input.scope,
  });
  const client = new kit.Client({ name: 'postern-e2e-keyed', version: '1.0.0' });
  await client.connect(new kit.StreamableHTTPClientTransport(new URL(input.url), { authProvider }));
  const { tools } = await client.listTools();
  found.tools = tools.map(({ name }) => name);
  await client.close();
});
